"""The recommendation as one HTML page, with progress on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from advisor.cli.messages import show_wait, shows_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.answers.question import Question, Request
    from advisor.model import Ranked, Recommendation
    from advisor.report.dashboard.task import Task


MOST_CHARTS = 60  # with more candidates, charts and sliders show only the first
TOP = 10
FEWER_MONTHS = 11  # then: the months of a year are measured at once (see `one_day.DAYS_PER_STACK`)


def render_page(request: Request, months: int, task: Task | None = None) -> tuple[Recommendation, str]:
    """Return the recommendation and its page.

    With more than `MOST_CHARTS` candidates, only those that the page draws have their measurements.

    Args:
        request: what to rank.
        months: how many months the page looks back; with more than `MOST_CHARTS` candidates, at most 11.
        task: a training task that the page shows in every library.
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.history import read_timeline
    from advisor.answers.recommend import recommend
    from advisor.report.dashboard import render

    def show_progress(count: int, total: int) -> None:
        if shows_progress():
            end = "\n" if count == total else ""
            print(f"\rranking past days: {count} of {total}", end=end, file=sys.stderr, flush=True)

    with show_wait("ranking"):
        question = read_any_request(request)
        answer = recommend(question, has_outlooks=len(question.candidates) <= MOST_CHARTS)
        if len(question.candidates) > MOST_CHARTS:
            answer = _drop_measurements(answer)
    page_answer, question, others = _select_for_page(answer, question)
    if others:
        today = {r.repository: {m.metric: m for m in r.measurements} for r in page_answer.ranking}
        timeline = read_timeline(question, min(months, FEWER_MONTHS), show_progress, today)
    else:
        timeline = read_timeline(question, months, show_progress)
    return answer, render(page_answer, timeline, request.requirements, task, others)


def _drop_measurements(answer: Recommendation) -> Recommendation:
    """Free the measurements of the candidates that only a table shows, before the drawn ones need memory."""
    from dataclasses import replace

    names = _select_names(answer)
    ranking = [
        r if r.repository in names else replace(r, measurements=(), criteria=()) for r in answer.ranking
    ]
    return replace(answer, ranking=tuple(ranking))


def _select_names(answer: Recommendation) -> set[str]:
    """Return the candidates that a page of many draws: the first, and the choice, which may be lower."""
    return {r.repository for r in answer.ranking[:TOP]} | {answer.choice or ""}


def _select_for_page(
    answer: Recommendation, question: Question
) -> tuple[Recommendation, Question, Sequence[Ranked]]:
    """Return the answer and the question about the candidates that the page draws, and the others."""
    from dataclasses import replace

    from advisor.answers.recommend import add_outlooks

    if len(question.candidates) <= MOST_CHARTS:
        return answer, question, ()
    names = _select_names(answer)
    ranking = [r for r in answer.ranking if r.repository in names]
    candidates = tuple(c for c in question.candidates if c.repository in names)
    facts = question.facts.select(c.repository for c in candidates)
    others = [r for r in answer.ranking if r.repository not in names]
    return (
        replace(answer, ranking=add_outlooks(question, ranking)),
        replace(question, candidates=candidates, facts=facts),
        others,
    )
