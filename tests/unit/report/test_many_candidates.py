"""Hundreds of candidates: what people see stays short, and says where the rest is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import MOST_SAMPLES, find_leaders, recommend
from advisor.report.dashboard.answer import rows_of_others
from advisor.report.ranking import render
from advisor.report.ranking.text import FEWEST_WARNINGS, MOST_ROWS

COUNT = 840


@pytest.fixture(scope="module")
def many():
    """The bundled answer with each candidate sixty times, under other names."""
    answer = recommend(read_request(Request(domain="finetuning")))
    copies = [
        replace(r, candidate=replace(r.candidate, repository=f"org{n:03}/{r.candidate.name}-{n:03}"))
        for n in range(COUNT // len(answer.ranking))
        for r in answer.ranking
    ]
    ranked = sorted(copies, key=lambda r: (r.rank is None, -(r.score or 0), r.repository.lower()))
    ranking = [replace(r, rank=r.rank and i) for i, r in enumerate(ranked, start=1)]
    missing = {f"none/n{n}": "the snapshot has no facts about it" for n in range(300)}
    return replace(answer, ranking=tuple(ranking), choice=ranking[0].repository, missing=missing)


@pytest.mark.parametrize("width", [None, 100, 200])
def test_the_whole_report_has_twenty_candidates_and_says_where_the_rest_is(many, width):
    lines = render(many, "table", width, full=True).splitlines()
    assert len(lines) < 350
    text = "\n".join(lines)
    assert (
        f"… and {COUNT - MOST_ROWS} more candidates and {300 - FEWEST_WARNINGS} more without a rank" in text
    )
    assert "--format csv" in text
    for r in many.ranking[:MOST_ROWS]:
        assert r.candidate.name in text


def test_the_first_screen_of_many_is_one_screen(many):
    lines = render(many, "table", 80).splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80 + len("\x1b[1;33m\x1b[0m")


def test_the_other_formats_have_every_candidate(many):
    for name in ("csv", "json", "markdown"):
        text = render(many, name)
        assert all(r.candidate.repository in text or r.candidate.name in text for r in many.ranking), name


def test_up_to_a_screen_of_candidates_nothing_is_left_out():
    answer = recommend(read_request(Request(domain="finetuning")))
    assert "… and " not in render(answer, "table", full=True)


def test_only_the_highest_scores_are_sampled(many):
    """Ten thousand draws of 800 candidates took 12 GB."""
    leaders = find_leaders(many.ranking)
    assert len(leaders) == MOST_SAMPLES
    assert {r.repository for r in leaders} == {r.repository for r in many.ranking[:MOST_SAMPLES]}
    assert find_leaders(many.ranking[:MOST_SAMPLES]) == list(many.ranking[:MOST_SAMPLES])


def test_the_page_has_a_row_for_each_candidate_that_it_does_not_draw(many):
    rows = rows_of_others(many.ranking[20:])
    assert [row[0] for row in rows] == [r.repository for r in many.ranking[20:]]
    assert {len(row) for row in rows} == {5}
