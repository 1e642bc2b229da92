"""A title claims no more than the data of its chart bear, and paper holds what is folded on the screen."""

from __future__ import annotations

import re

import pytest

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.report.dashboard import render

CHART = "(id) => { const { title, traces, layout, none } = advisor.charts.figures.find((f) => f.id === id).chart; return { title, traces, layout, none }; }"


@pytest.fixture(scope="module")
def gaps(open_once, tmp_path_factory):
    """The page of a domain in which some candidates have no git history in the facts."""
    question = read_request(Request(domain="dataframes"))
    file = tmp_path_factory.mktemp("gaps") / "report.html"
    file.write_text(render(recommend(question), read_timeline(question, 14)), encoding="utf-8")
    return open_once(file)


def chart(report, name):
    return report.page.evaluate(CHART, name)


def names_without(report, metric):
    return report.page.evaluate(
        "(metric) => advisor.answer.rows.filter((r) => advisor.data.series[metric][r.i][advisor.state.day] === null)"
        ".map((r) => advisor.data.candidates[r.i].name)",
        metric,
    )


def test_a_title_that_names_the_first_says_how_many_have_data(gaps):
    rows = gaps.page.evaluate("advisor.answer.rows.length")
    for metric in ("contributors", "new_contributors", "downloads", "code_changes_commits"):
        title, missing = chart(gaps, metric)["title"], names_without(gaps, metric)
        said = re.match(r"Of the (\d+) candidates with data, ", title)
        assert said or "no candidate is surely highest" in title or not missing, (title, missing)
        assert not said or int(said[1]) == rows - len(missing), (title, missing)
    assert "pandas" in names_without(gaps, "contributors")


def test_the_first_by_issues_is_the_first_of_those_with_data(open_page, page_file):
    report = open_page(page_file)
    titles = report.page.evaluate(
        "['issues', 'closed-share'].map((id) => advisor.charts.figures.find((f) => f.id === id).chart.title)"
    )
    with_data = report.page.evaluate(
        "[[2], [2, 3]].map((columns) => new Set(advisor.data.issues.filter((x) => columns.every((c) => x[c] !== null)).map((x) => x[0])).size)"
    )
    assert with_data[0] < report.page.evaluate("advisor.answer.rows.length"), "the bundled facts have a gap"
    for title, size in zip(titles, with_data, strict=True):
        assert title.startswith(f"Of the {size} candidates with data, ") or "surely" in title, title


def test_a_library_without_a_history_has_no_empty_row_of_events(gaps):
    timeline = chart(gaps, "timeline")
    rows = timeline["layout"]["yaxis"]["ticktext"]
    full = {round(-y) for trace in timeline["traces"] for y in trace["y"]}
    assert full == set(range(len(rows)))
    assert "pandas" not in rows
    releases = gaps.page.evaluate(
        "advisor.data.releases.filter((x) => !x[3] && Date.parse(advisor.data.days[advisor.state.day]) - Date.parse(x[1]) < 365 * 86400000).map((x) => x[0])"
    )
    assert f"{len(set(releases))} libraries made {len(releases)} releases" in timeline["title"]


def test_a_solid_line_of_a_pair_is_a_difference_of_the_title(gaps):
    pairs = gaps.page.evaluate(
        """() => { const names = advisor.answer.rows.slice(0, 6).map((r) => r.i), found = [];
            const figure = advisor.charts.figures.find((f) => f.id === 'compare');
            for (const a of names) for (const b of names) if (a !== b) {
                const { title, traces } = figure.compute(advisor.data, advisor.answer, { ...advisor.state, compare: [a, b] });
                found.push([title, traces.map((t) => [t.name, t.line.dash, t.y[1] - t.y[0]])]);
            }
            return found; }"""
    )
    for title, lines in pairs:
        solid = {name.lower() for name, dash, _ in lines if dash == "solid"}
        assert solid == {name.lower() for name, _, _ in lines if f"{name.lower()} (" in title}, title
        assert ("no sure loss" in title or "no sure difference" in title) == (
            not any(dash == "solid" and size < 0 for _, dash, size in lines)
        ), title
    assert any("no sure loss" in title for title, _ in pairs)


def test_one_candidate_is_compared_with_nothing(open_page, page_file):
    report = open_page(page_file, "#only=trl")
    titles = report.page.evaluate("advisor.charts.figures.map((f) => f.chart.title ?? '')")
    claims = [title for title in titles if re.search(r"\b(most|highest|largest|best|too close)\b", title)]
    assert not claims
    assert any("there is nothing to compare it with" in title for title in titles)


def test_paper_shows_what_is_folded_on_the_screen(open_page, page_file):
    report = open_page(page_file)
    doubts = report.page.evaluate("advisor.data.doubts")
    assert len(doubts) > 1
    assert not report.page.get_by_text(doubts[-1]).is_visible()
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    report.page.emulate_media(media="print")
    assert all(report.page.get_by_text(text).first.is_visible() for text in doubts)
    assert not report.page.locator("#answer summary, #asides summary").filter(visible=True).count()
    report.page.evaluate("dispatchEvent(new Event('afterprint'))")
    report.page.emulate_media(media="screen")
    assert not report.page.get_by_text(doubts[-1]).is_visible()
