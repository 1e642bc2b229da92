"""The heat map of ready-made recipes, and the time line of breaking releases."""

from __future__ import annotations

import re

import pytest

from advisor.answers.history import query_chart_facts
from advisor.answers.question import Request, read_request

CHART = "advisor.charts.figures.find((f) => f.id === '{}').chart"
CELLS = """(all) => all.map((row) => [row.cells[0].textContent, [...row.cells].slice(1).map((c) => c.textContent)])"""
TRL = "huggingface/trl"


@pytest.fixture(scope="module")
def charts():
    question = read_request(Request())
    return {
        name: [row for row in rows if row[0] in question.facts.intact_repositories]
        for name, rows in query_chart_facts(question.facts).items()
        if name in ("recipes", "breaks")
    }


def headers(report):
    return report.page.eval_on_selector_all(
        "#recipes-table thead tr:last-child th", "(all) => all.slice(1).map((h) => h.textContent)"
    )


def show(report, name):
    report.page.evaluate(f"document.getElementById('figure-{name}').scrollIntoView()")
    report.page.wait_for_function(f"() => !advisor.charts.figures.find((f) => f.id === '{name}').dirty")


def test_the_cells_count_libraries_and_then_the_recipes_of_one(open_page, page_file, charts):
    report = open_page(page_file)
    show(report, "recipes")
    at = headers(report).index("QLoRA")
    cells = dict(report.page.eval_on_selector_all("#recipes-table tbody tr", CELLS))
    recipes = [row for row in charts["recipes"] if row[1] is not None]
    assert set(cells) == {row[1] for row in recipes}
    for family, texts in cells.items():
        libraries = {row[0] for row in recipes if row[1] == family and row[2] == "qlora"}
        assert texts[at] == (str(len(libraries)) if libraries else "–"), family
    value = report.page.evaluate("advisor.data.candidates.findIndex((c) => c.name === 'trl')")
    # With the keyboard: the list has the focus, and a letter chooses.
    report.page.focus("#recipes-library")
    report.page.keyboard.type("trl")
    assert report.page.input_value("#recipes-library") == str(value)
    report.page.wait_for_function("() => document.querySelector('#recipes-table td a')")
    at = headers(report).index("QLoRA")
    cells = dict(report.page.eval_on_selector_all("#recipes-table tbody tr", CELLS))
    for family, texts in cells.items():
        n = sum(row[5] for row in recipes if row[:3] == (TRL, family, "qlora"))
        assert texts[at] == (str(n) if n else "–"), family
    addresses = report.page.eval_on_selector_all(
        "#recipes-table td a", "(all) => all.map((a) => [a.href, a.getAttribute('aria-label')])"
    )
    expected = {f"https://github.com/{r[6]}/blob/{r[8]}/{r[7]}" for r in recipes if r[0] == TRL}
    assert addresses and {address for address, _ in addresses} <= expected
    assert all(re.match(r"\d+ for .+ with .+: open the one changed last", label) for _, label in addresses)
    assert report.messages == []


def test_the_table_has_what_the_cells_leave_to_a_hover(open_page, page_file, charts):
    report = open_page(page_file)
    show(report, "recipes")
    report.page.locator("#figure-recipes .heatmap details.data summary").focus()
    report.page.keyboard.press("Enter")
    rows = report.page.locator("#figure-recipes .heatmap details.data tbody tr")
    rows.first.wait_for()
    assert rows.count() == sum(row[1] is not None for row in charts["recipes"])


def test_an_earlier_day_hides_later_recipes_and_releases(open_page, page_file, charts):
    report = open_page(page_file)
    report.slide("#day", 5)
    day = report.page.evaluate("advisor.data.days[5]")
    for name in ("recipes", "breaks"):
        show(report, name)
    families = {r[1] for r in charts["recipes"] if r[1] is not None and r[4].isoformat() <= day}
    report.page.wait_for_function(
        f"() => document.querySelectorAll('#recipes-table tbody tr').length === {len(families)}"
    )
    report.page.wait_for_function(
        f"(day) => {CHART.format('breaks')}.traces.every((t) => t.x.every((x) => x <= day))", arg=day
    )


def test_each_release_has_a_mark_that_says_what_broke(open_page, page_file, charts):
    report = open_page(page_file)
    show(report, "breaks")
    traces = report.page.evaluate(f"{CHART.format('breaks')}.traces")
    first = report.page.evaluate("advisor.data.days[0]")
    marks = [
        (text, symbol, size)
        for trace in traces
        for text, size in zip(trace["text"], trace["marker"]["size"], strict=True)
        for symbol in [trace["marker"]["symbol"]]
    ]
    rows = [row for row in charts["breaks"] if row[2].isoformat() >= first]
    assert len(marks) == len(rows)
    expected = sorted(
        (row[1], "line-ns-open" if not row[3] else "diamond-open" if row[4] else "circle") for row in rows
    )
    assert sorted((text.partition(":")[0], symbol) for text, symbol, _ in marks) == expected
    sizes = {int(m[1]): size for text, _, size in marks if (m := re.search(r": (\d+) names? broke", text))}
    assert sizes[max(sizes)] > sizes[min(sizes)]
    year = [row for row in charts["breaks"] if row[0] == TRL and row[2].isoformat() > "2025-07-24"]
    assert f"trl {sum(row[3] > 0 for row in year)} of {len(year)}" in report.text("#figure-breaks h3")
    assert report.messages == []


def test_a_field_without_these_facts_has_no_such_sections(open_page, tmp_path):
    from many_candidates import fill_with_many

    from advisor.answers.history import read_timeline
    from advisor.answers.recommend import recommend
    from advisor.report.dashboard import render

    domain = fill_with_many(tmp_path, 2, without=("recipes", "api_releases"))
    question = read_request(Request(domain=str(domain), store=tmp_path / "facts"))
    file = tmp_path / "report.html"
    file.write_text(render(recommend(question), read_timeline(question, 2)), encoding="utf-8")
    report = open_page(file)
    assert report.page.is_hidden("#figure-recipes")
    assert not report.page.get_by_role("heading", name="Ready-made recipes", exact=True).is_visible()
    assert "No data on the public API" in report.text("#figure-breaks")


@pytest.mark.parametrize("context", [
    {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    {"viewport": {"width": 1440, "height": 900}, "forced_colors": "active"},
    {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
])  # fmt: skip
def test_both_fit_the_window_and_colours_are_not_the_only_sign(open_page, page_file, context):
    report = open_page(page_file, **context)
    for name in ("recipes", "breaks"):
        show(report, name)
    width = context["viewport"]["width"]
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    cells = report.page.eval_on_selector_all(
        "#recipes-table td:not(:empty)", "(all) => all.map((c) => [c.className, c.textContent])"
    )
    assert {kind for kind, text in cells if text == "–"} == {"hx"}
    assert all(text.isdigit() for kind, text in cells if kind != "hx")
    report.page.emulate_media(media="print")
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert report.page.is_visible("#recipes-table")
    assert report.page.locator("#figure-breaks .main-svg").first.is_visible()
    assert report.messages == []
