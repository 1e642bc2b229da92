"""The people of each library as letters, by month; never a name."""

from __future__ import annotations

import re

import pytest
from chart_facts import read_people

from advisor.answers.question import Request, read_request

CHART = "advisor.charts.figures.find((f) => f.id === 'people').chart"


def test_each_library_shows_its_people_as_letters(open_page, page_file):
    people = read_people(read_request(Request()).facts)
    report = open_page(page_file)
    report.page.locator("#figure-people").scroll_into_view_if_needed()
    for name, repository in (("unsloth", "unslothai/unsloth"), ("trl", "huggingface/trl")):
        value = report.page.evaluate(f"advisor.data.candidates.findIndex((c) => c.name === '{name}')")
        report.page.select_option("#people-library", str(value))
        report.page.wait_for_function(
            f"() => document.querySelector('#figure-people h3').textContent.startsWith('{name}: ')"
        )
        expected = people[repository]
        title = report.text("#figure-people h3")
        assert f"A made {expected.top[0].share:.0%} of the commits" in title
        assert f"of {expected.newcomers} newcomers, {expected.stayed_3} stayed 3 months and {expected.stayed_6} stayed 6 months" in title  # fmt: skip
        traces = report.page.evaluate(f"{CHART}.traces")
        assert [t["name"] for t in traces] == list("ABCDEFGHIJ")[: len(expected.top)]
        first = report.page.evaluate("advisor.data.days[0].slice(0, 7) + '-01'")
        for trace, person in zip(traces, expected.top, strict=True):
            shown = {d.isoformat(): str(n) for d, n in person.months if d.isoformat() >= first}
            assert dict(zip(trace["x"], trace["text"], strict=True)) == shown
        assert traces[0]["y"] and max(y for t in traces for y in t["y"]) == pytest.approx(0.85)
    assert report.messages == []


def test_on_an_earlier_day_there_are_no_people(open_page, page_file):
    report = open_page(page_file)
    report.slide("#day", 5)
    report.page.locator("#figure-people").scroll_into_view_if_needed()
    report.page.wait_for_function("() => document.querySelector('#figure-people .none')")
    assert "only for the last day" in report.text("#figure-people .none")
    assert not re.search(r"\bA made\b", report.text("#figure-people"))
