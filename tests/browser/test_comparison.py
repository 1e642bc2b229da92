"""Two candidates head to head, in the address; and the timeline, of which a click moves the day."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

TITLE = "#figure-compare h3"


def expected_sides(mine, theirs):
    """Gains and costs of one candidate instead of another, with the rule of `advisor rank`."""
    sides = {"gain": set(), "pay": set()}
    for c in mine.criteria:
        other = theirs.criterion(c.criterion)
        if abs(c.utility - other.utility) >= 0.05 and (c.low > other.high or other.low > c.high):
            sides["gain" if c.utility > other.utility else "pay"].add(c.title.lower())
    return sides


@pytest.mark.parametrize(("first", "second"), [("trl", "unsloth"), ("axolotl", "trl"), ("unsloth", "litgpt")])
def test_the_address_compares_two_and_says_what_you_gain_and_pay(open_page, page_file, first, second):
    report = open_page(page_file, f"#compare={first},{second}")
    rows = {r.candidate.name: r for r in recommend(read_request(Request())).ranking}
    title = report.text(TITLE)
    assert title.startswith(f"{first} instead of {second}: ")
    sides = expected_sides(rows[first], rows[second])
    gains, _, costs = title.partition("; ")
    for text, side in ((gains, "gain"), (costs, "pay")):
        said = {c.title.lower() for c in rows[first].criteria if f"{c.title.lower()} (" in text}
        assert said == sides[side], title
    assert report.text("#choice") == "unsloth", "the answer does not depend on the pair"
    assert report.page.input_value("#pair-0") != report.page.input_value("#pair-1")
    assert report.messages == []


def test_choosing_two_changes_the_address_the_chart_and_the_table(open_page, page_file):
    report = open_page(page_file)
    assert report.text(TITLE).startswith("unsloth instead of trl: ")
    value = report.page.evaluate("advisor.data.candidates.findIndex((c) => c.name === 'axolotl')")
    report.page.select_option("#pair-1", str(value))
    report.page.wait_for_function("() => location.hash.includes('compare=unsloth%2Caxolotl')")
    report.page.locator("#figure-compare").scroll_into_view_if_needed()
    report.page.wait_for_function("() => document.querySelector('#figure-compare h3').textContent.startsWith('unsloth instead of axolotl')")  # fmt: skip
    report.page.click("#figure-compare summary")
    report.page.wait_for_selector("#figure-compare thead th")
    header = report.page.eval_on_selector_all("#figure-compare thead th", "(all) => all.map((e) => e.innerText)")  # fmt: skip
    assert header == ["Criterion", "unsloth", "axolotl", "Difference", "Sure"]
    lines = report.page.evaluate("advisor.charts.figures.find((f) => f.id === 'compare').chart.traces")
    axolotl, unsloth = (next(r for r in recommend(read_request(Request())).ranking if r.candidate.name == n) for n in ("axolotl", "unsloth"))  # fmt: skip
    assert len(lines) == len(unsloth.criteria)
    for line, mine, theirs in zip(lines, unsloth.criteria, axolotl.criteria, strict=True):
        assert line["y"] == pytest.approx([100 * theirs.utility, 100 * mine.utility], abs=1e-3)
    report.page.go_back()
    report.page.wait_for_function("() => advisor.state.compare === null")


@pytest.mark.parametrize("pair", ["trl", "trl,trl", "nobody,trl", "trl,unsloth,axolotl", "%3Cimg%3E,trl"])
def test_a_wrong_pair_in_the_address_is_ignored(open_page, page_file, pair):
    report = open_page(page_file, f"#compare={pair}")
    assert report.page.evaluate("advisor.state.compare") is None
    assert report.messages == []


def test_a_click_on_the_timeline_moves_the_day(open_page, page_file):
    report = open_page(page_file)
    report.draw_all()
    text = report.text("#figure-timeline h3")
    days = report.page.evaluate("advisor.data.days")
    before = recommend(read_request(Request(as_of=date.fromisoformat(days[-13])))).ranking[0].candidate.name
    assert f"{before} had the highest score, now {report.text('#choice')} has" in text
    assert "model families appeared" in text and "a rule has excluded torchtune since" in text
    report.page.evaluate(
        """() => { const f = advisor.charts.figures.find((f) => f.id === 'timeline');
        f.place.emit('plotly_click', { points: [{ customdata: '2025-03-10' }] }); }"""
    )
    assert report.text("#as-of-text") == "31 March 2025"
    report.page.wait_for_function("() => location.hash.includes('as-of=2025-03-31')")
    report.draw_all()
    events = report.page.evaluate(
        "advisor.charts.figures.find((f) => f.id === 'timeline').chart.traces.flatMap((t) => t.x)"
    )
    assert events and max(events) <= "2025-03-31"


def test_an_exclusion_on_the_timeline_begins_when_the_rule_fires(open_page, page_file):
    report = open_page(page_file)
    traces = report.page.evaluate("advisor.charts.figures.find((f) => f.id === 'timeline').chart.traces")
    [ends] = [t for t in traces if t["name"] == "an exclusion begins"]
    day = date.fromisoformat(min(ends["x"]))

    def is_out(on):
        ranking = recommend(read_request(Request(as_of=on))).ranking
        return next(r for r in ranking if r.candidate.name == "torchtune").excluded

    assert is_out(day)
    assert not is_out(day.replace(day=1))


def test_a_section_without_data_is_not_there(open_page, page_file):
    report = open_page(page_file)
    headings = report.page.eval_on_selector_all(
        "#charts > h2", "(all) => all.filter((e) => e.checkVisibility()).map((e) => e.innerText)"
    )
    assert "Scores" in headings and "Speed and memory" not in headings
    assert not report.page.is_visible("#figure-speed")
    report.draw_all()
    assert report.messages == []
