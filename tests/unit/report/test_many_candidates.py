"""Hundreds of candidates: what people see stays short, and says where the rest is."""

from __future__ import annotations

import json
import random
import re
from dataclasses import fields, replace
from datetime import date

import pytest

from advisor.answers import history
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import (
    MOST_SAMPLES,
    add_outlooks,
    build_recommendation,
    find_leaders,
    recommend,
)
from advisor.cli import dashboard_page
from advisor.decide import flips
from advisor.model import ScoredCandidate
from advisor.report.dashboard.answer import rows_of_others
from advisor.report.ranking import render
from advisor.report.ranking.text import FEWEST_WARNINGS, MOST_ROWS

COUNT = 840


@pytest.fixture(scope="module")
def many():
    """The bundled answer with each candidate sixty times, under other names."""
    answer = recommend(read_request(Request(domain="finetuning")))
    copies = [
        replace(r, candidate=replace(r.candidate, repository=f"org{n:03}/{name}", name=name))
        for n in range(COUNT // len(answer.ranking))
        for r in answer.ranking
        for name in (f"{r.candidate.name}-{n:03}",)
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
        words = set(re.findall(r"[\w.-]+-\d{3}\b", render(many, name)))
        assert [r.repository for r in many.ranking if r.candidate.name not in words] == [], name


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


def test_a_candidate_that_was_not_drawn_has_no_wins(many):
    """It had 0 wins, as if it had been drawn and never won."""
    names = [f.name for f in fields(ScoredCandidate)]
    candidates = [ScoredCandidate(**{name: getattr(r, name) for name in names}) for r in many.ranking]
    answer = build_recommendation(read_request(Request()), candidates, {})
    ranked = [r for r in answer.ranking if r.rank is not None]
    assert len(ranked) > MOST_SAMPLES
    assert [r.wins is not None for r in ranked] == [bool(r.acceptability) for r in ranked]
    assert sum(r.wins is not None for r in ranked) == MOST_SAMPLES
    assert sum(r.wins or 0 for r in ranked) == pytest.approx(1)
    text = render(answer, "markdown")
    assert text.count("| not drawn |") == len(ranked) - MOST_SAMPLES
    assert "not drawn: only the candidates with the highest scores" in text
    rows = json.loads(render(answer, "json"))["ranking"]
    assert [row["wins"] for row in rows] == [r.wins for r in answer.ranking]
    assert answer.to_frame()["wins"].isna().sum() == len(ranked) - MOST_SAMPLES
    assert "not drawn" not in render(recommend(read_request(Request())), "markdown")


def test_candidates_that_are_never_first_change_no_flip():
    """The nearest weight is looked for among those that can come first: the same as among all."""
    lot = random.Random(18)

    def line():
        known = [lot.choice((0.0, 0.3, 0.5, 0.8, 1.0)) for _ in range(2)]
        score = [round(lot.random(), 1) for _ in range(2)]
        return flips._Line(None, score[0], score[1], known[0], 1.0, known[1], lot.choice((0.0, 1.0)))

    dropped = 0
    for _ in range(300):
        lines = [line() for _ in range(lot.randrange(1, 30))]
        rest = flips._drop_dominated_lines(lines)
        dropped += len(lines) - len(rest)
        for share in (step / 100 for step in range(101)):
            assert max(rest, key=lambda x: x.score(share)) is max(lines, key=lambda x: x.score(share))
    assert dropped > 1000


def test_a_page_of_many_draws_a_year_of_the_first_with_their_outlooks(monkeypatch):
    """Outlooks and months of candidates that only the table shows take most of the time, and nobody sees them."""
    monkeypatch.setattr(dashboard_page, "MOST_CHARTS", 2)
    monkeypatch.setattr(dashboard_page, "TOP", 1)
    request = Request(repositories=("trl", "unsloth", "litgpt"), as_of=date(2026, 6, 29))
    asked = {}
    read_timeline = history.read_timeline

    def read(question, months, progress, today):
        asked.update(names=[c.name for c in question.candidates], months=months, today=set(today))
        with monkeypatch.context() as patch:  # nothing reads the measurements of all candidates again
            patch.setattr(history.kept_months, "read", None)
            return read_timeline(question, 0, progress, today)

    monkeypatch.setattr(history, "read_timeline", read)
    answer, page = dashboard_page.render_page(request, 72)
    question = read_request(request)
    drawn = {answer.ranking[0].repository, answer.choice}  # in a tie, the choice may be another one
    names = [c.name for c in question.candidates if c.repository in drawn]
    assert asked == {"names": names, "months": 11, "today": drawn}
    assert {r.repository for r in answer.ranking if r.measurements} == drawn
    assert f"<summary>{3 - len(drawn)} other candidates</summary>" in page
    full_answer = recommend(question, has_outlooks=False)
    assert [r.outlook for r in add_outlooks(question, full_answer.ranking)] == [
        r.outlook for r in recommend(question).ranking
    ]
