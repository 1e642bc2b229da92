"""The recommendation as one HTML page, with progress on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.model import Recommendation
    from advisor.report.dashboard.task import Task


def render_page(request: Request, months: int, task: Task | None = None) -> tuple[Recommendation, str]:
    """Return the recommendation and its page.

    Args:
        request: what to rank.
        months: how many months the page looks back.
        task: a training task that the page shows in every library.
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.history import read_timeline
    from advisor.answers.recommend import recommend
    from advisor.report.dashboard import render

    def show_progress(count: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if count == total else ""
            print(f"\rranking past days: {count} of {total}", end=end, file=sys.stderr, flush=True)

    question = read_any_request(request)
    recommendation = recommend(question)
    timeline = read_timeline(question, months, show_progress)
    return recommendation, render(recommendation, timeline, request.requirements, task)
