"""Sixty candidates over six years: the page opens, answers as Python does, and is small."""

from __future__ import annotations

import pytest
from many_candidates import fill_with_many, read_many_timeline

from advisor.answers.history import MONTHS
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.report.dashboard import render

CANDIDATES = 60
# The bundled histories have at least so many months.
AT_LEAST_DAYS = 60
MOST_BYTES = 820_000  # the promise is 900 kB; charts to come need room


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    request = Request(domain=str(fill_with_many(folder, CANDIDATES)), store=folder / "facts")
    file = folder / "report.html"
    question = read_request(request)
    file.write_text(render(recommend(question), read_many_timeline(question, MONTHS)), encoding="utf-8")
    return request, file


def read_ranking(report):
    return report.page.eval_on_selector_all(
        "#ranking-table tbody tr:not([hidden])",
        "(rows) => rows.map((r) => [r.cells[0].innerText, r.querySelector('bdi').title, r.querySelector('[data-cell=score] b').innerText])",
    )


def test_sixty_candidates_open_and_answer(open_page, many):
    from dataclasses import replace

    request, file = many
    assert file.stat().st_size < MOST_BYTES
    report = open_page(file)
    assert report.page.evaluate("advisor.data.days.length") > AT_LEAST_DAYS
    assert len(read_ranking(report)) == CANDIDATES
    report.slide('[data-weight="models"]', 80)
    report.page.wait_for_function("() => advisor.isWritten")
    weights = report.page.evaluate("advisor.view().weights")
    python = recommend(read_request(replace(request, weights=weights)))
    rows = read_ranking(report)
    assert [row[1] for row in rows] == [r.candidate.repository for r in python.ranking]
    assert [row[2] for row in rows] == [f"{r.score:.0f}" for r in python.ranking]
    assert [row[0] for row in rows] == ["out" if r.excluded else str(r.rank) for r in python.ranking]
    assert report.page.evaluate("advisor.answer.choice && advisor.data.candidates[advisor.answer.choice.i].repository") == python.choice  # fmt: skip
    report.slide("#day", 24)
    report.page.wait_for_function("() => advisor.isWritten")
    assert 0 < len(read_ranking(report)) <= CANDIDATES
    report.draw_all()
    assert report.messages == []
    assert report.requests == [file.as_uri()]


def test_rows_in_view_follow_a_slider_at_once_and_the_others_soon(open_page, many):
    report = open_page(many[1])
    report.page.evaluate("document.getElementById('ranking').scrollIntoView({behavior: 'instant'})")
    texts = "[...document.querySelectorAll('#ranking-table tbody tr')].map((row) => row.innerText)"
    slide = (
        "const slider = document.querySelector('[data-weight=\"models\"]'); slider.value = 95;"
        " slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    at_once, in_view, is_written = report.page.evaluate(
        f"() => {{ {slide}; const rows = [...document.querySelectorAll('#ranking-table tbody tr')];"
        f" return [{texts}, rows.filter((r) => r.getBoundingClientRect().top < innerHeight).length, advisor.isWritten]; }}"
    )
    assert not is_written and 5 < in_view < CANDIDATES
    report.page.wait_for_function("() => advisor.isWritten")
    after = report.page.evaluate(texts)
    assert at_once[:in_view] == after[:in_view]
    assert at_once != after


def test_paper_and_csv_have_all_rows_of_the_present_answer(open_page, many):
    report = open_page(many[1])
    ranks = "[...document.querySelectorAll('#ranking-table tbody tr:not([hidden])')].map((r) => Number(r.dataset.candidate))"
    for event in ("dispatchEvent(new Event('beforeprint'))", "document.querySelector('button.csv').click()"):
        expected, shown = report.page.evaluate(
            "() => { const slider = document.querySelector('[data-weight]'); slider.value = 100 - slider.value;"
            f" slider.dispatchEvent(new Event('input', {{bubbles: true}})); {event};"
            f" return [advisor.answer.rows.map((r) => r.i), {ranks}]; }}"
        )
        assert shown == expected
        report.page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_sixty_candidates_fit_a_phone(open_page, many):
    report = open_page(many[1], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    report.draw_all()
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert report.messages == []
