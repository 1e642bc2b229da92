"""The page's sentences and table equal Python's, and its titles name only winners that are sure."""

from __future__ import annotations

import re

import pytest

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.report.dashboard import render
from advisor.report.dashboard.answer import answer_for_page

DOMAINS = ("finetuning-wide", "dataframes")  # with a default and without
MONTHS = 26
READ = """() => {
    const list = (id) => [...document.querySelectorAll(`#${id} li`)].map((e) => e.textContent);
    const rows = [...document.querySelectorAll("#ranking-table tbody tr:not([hidden])")];
    const cell = (row, name) => row.querySelector(`[data-cell="${name}"]`).textContent.trim();
    const columns = [...document.querySelectorAll("#ranking-table [data-criterion]")].map((e) => e.cellIndex);
    return {
        headline: document.querySelector("#headline").textContent,
        confidence: document.querySelector("#confidence-text").textContent,
        choice: document.querySelector("#choice").textContent,
        flipsTitle: document.querySelector("#flips-title").textContent,
        reasons: list("reasons"), doubts: list("doubts"), flips: list("flips"),
        alternatives: list("alternatives"), missing: list("missing"),
        rows: rows.map((row) => [row.querySelector("bdi").textContent, cell(row, "rank"), cell(row, "score"),
            cell(row, "wins"), cell(row, "evidence"),
            ...columns.map((column) => row.cells[column].textContent.trim())]),
        titles: advisor.charts.figures.map((f) => [f.id, f.title.textContent]),
    };
}"""


@pytest.fixture(scope="module", params=DOMAINS)
def page(request, open_once, tmp_path_factory):
    question = read_request(Request(domain=request.param))
    timeline = read_timeline(question, MONTHS)
    file = tmp_path_factory.mktemp("consistency") / "page.html"
    file.write_text(render(recommend(question), timeline), encoding="utf-8")
    return request.param, timeline, open_once(file)


@pytest.mark.parametrize("back", [1, 26])
def test_the_page_says_what_python_says(page, back):
    name, timeline, report = page
    day = timeline.days[-1 - back]
    report.page.evaluate(f"location.hash = 'as-of={day}'")
    report.page.wait_for_function(f"advisor.data.days[advisor.state.day] === '{day}'")
    seen = report.page.evaluate(READ)
    answer = recommend(read_request(Request(domain=name, as_of=day)))
    expected = answer_for_page(answer, timeline)
    assert (seen["headline"], seen["confidence"], seen["choice"], seen["flipsTitle"]) == (
        expected["headline"], expected["confidence"], expected["choice"], expected["flips_title"],
    )  # fmt: skip
    assert seen["reasons"] == list(expected["reasons"])
    assert seen["doubts"] == expected["doubts"]
    weight_flips = [f.text for f in answer.flips if f.kind == "weight"]
    assert [text for text in seen["flips"] if " comes first if " in text] == weight_flips
    assert seen["alternatives"] == [a["text"] for a in expected["alternatives"]]
    assert seen["rows"] == [
        [r["name"], r["rank"], f"{r['score']} {r['interval']}", r["wins"], r["evidence"],
         *(c["text"] for c in r["criteria"])]
        for r in expected["rows"]
    ]  # fmt: skip
    unranked = [
        f"{m['name']}: {m['text']}"
        for m in expected["missing"]
        if m["name"] not in {**answer.missing, **answer.rivals}
    ]
    assert [text for text in seen["missing"] if "not enough data" in text] == unranked


def test_a_title_names_a_winner_only_where_the_ranges_are_apart(page):
    name, timeline, report = page
    report.page.evaluate("location.hash = 'as-of='")
    report.page.wait_for_function("advisor.state.day === advisor.data.days.length - 1")
    report.page.evaluate("advisor.charts.refresh({ all: true })")
    titles = dict(report.page.evaluate(READ)["titles"])
    answer = recommend(read_request(Request(domain=name)))
    ranked = [r for r in answer.ranking if r.rank is not None]
    criteria = {c.title.lower(): c.name for c in timeline.question.domain.criteria}
    for part in titles["criteria"].removeprefix("Best: ").split("; "):
        leader, _, best = part.partition(" in ")
        for title in best.replace(" and ", ", ").split(", "):
            if title not in criteria or titles["criteria"].startswith("In no"):
                continue
            bounds = {r.candidate.name: r.criterion(criteria[title]) for r in ranked}
            others = [c.high for n, c in bounds.items() if n != leader]
            assert bounds[leader].low > max(others), titles["criteria"]
    certain = answer.certainty in ("clear", "leaning")
    assert bool(re.search("has (had )?the highest score", titles["scores"])) is certain
    for metric in ("organizational_diversity", "contributors", "contributor_absence_factor"):
        said = titles[metric]
        values = {r.candidate.name: r.measurement(metric) for r in answer.ranking}
        said = re.sub(r"^Of the \d+ candidates with data, ", "", said)
        named = [n for n in values if said.startswith(n)]
        if "no candidate is surely highest" in said or not named:
            continue
        low = min(values[n].low if values[n].low is not None else values[n].value for n in named)
        top = max(
            m.high if m.high is not None else m.value
            for n, m in values.items()
            if m.value is not None and n not in said
        )
        assert low > top, said


JUMP = """() => {
    const { data, charts } = advisor, K = data.criteria.length, d = data.days.length;
    const row = data.scores[0], facts = row[d - 3].slice();
    // From two months ago on, only one criterion is known, and it is the best possible.
    for (const month of [d - 2, d - 1]) {
        row[month] = facts.slice();
        for (let k = 0; k < K; k += 1) row[month].splice(4 * k, 4, ...(k ? [0.5, 0, 1, 0] : [1, 1, 1, 1]));
    }
    advisor.state.weights = data.criteria.map((_, k) => (k ? 0.4 / (K - 1) : 0.6));
    document.querySelector('#day').dispatchEvent(new Event('input'));
    charts.refresh({ all: true });
    document.querySelector('#figure-scores').scrollIntoView({ behavior: 'instant' });
}"""


def test_a_line_breaks_where_the_facts_of_a_library_end(open_page, page_file):
    report = open_page(page_file)
    report.page.evaluate(JUMP)
    report.page.wait_for_function("() => !advisor.charts.figures.find((f) => f.id === 'scores').dirty")
    name, days = report.page.evaluate("[advisor.data.candidates[0].name, advisor.data.days]")
    [line] = report.page.evaluate(
        "(name) => advisor.charts.figures.find((f) => f.id === 'scores').chart.traces.filter((t) => t.name === name)",
        name,
    )
    points = list(zip(line["x"], line["y"], strict=True))
    assert (days[-2], None) in points, "no line joins scores that rest on other facts"
    assert [value for day, value in points if day in days[-3:] and value is not None][-1] > 70
    title = report.text("#figure-scores h3")
    assert (
        "has had the highest score since" not in title
        or "when its facts changed" in title
        or name not in title
    )


def test_a_leader_with_an_overlapping_range_is_named_with_the_overlap(open_page, page_file):
    report = open_page(page_file)
    answer = recommend(read_request(Request()))
    first, *others = [r for r in answer.ranking if r.rank is not None]
    near = [r.candidate.name for r in others if r.high >= first.low]
    title = report.text("#figure-scores h3")
    assert answer.certainty == "clear" and near
    words = ("ranges", "overlap") if len(near) > 1 else ("range", "overlaps")
    assert title.endswith(f" {words[1]}")
    assert all(name in title.partition(f"; the {words[0]} of ")[2] for name in near)


def test_attention_exceeds_substance_the_most_only_where_the_ranges_are_apart(open_page, page_file):
    report = open_page(page_file)
    gaps = report.page.evaluate(
        "advisor.answer.rows.map((r) => [advisor.data.candidates[r.i].name, advisor.data.series.hype_gap[r.i].at(-1)])"
        ".filter(([, gap]) => Array.isArray(gap))"
    )
    title = report.text("#figure-hype_gap h3")
    sure = [name for name, (_, low, _) in gaps if low > 0]
    widest = [n for n, (_, low, _) in gaps if low > max((h for m, (_, _, h) in gaps if m != n), default=-1)]
    assert sure
    assert ("widest gap" in title) is bool(set(widest) & set(sure))
    assert all(name in title for name in sure) or set(widest) & set(sure)
