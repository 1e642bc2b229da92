"""The HTML page of an answer, with progress on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from advisor.answers.question import Request
    from advisor.model import Recommendation
    from advisor.report.dashboard.task import Task


def page(request: Request, months: int, task: Task | None = None) -> tuple[Recommendation, str]:
    """The answer and its page, with a task where there is one; a terminal sees progress on stderr."""
    from advisor.answers.history import look_back
    from advisor.answers.question import read_request
    from advisor.answers.recommend import recommend
    from advisor.report.dashboard import render

    def progress(done: int, whole: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == whole else ""
            print(f"\rlooking back: {done} of {whole} days", end=end, file=sys.stderr, flush=True)

    answer = recommend(request)
    timeline = look_back(read_request(request), months, progress)
    return answer, render(answer, timeline, request.requirements, task)


def write_to(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write(path)``.

    Raises:
        InputError: the path cannot be written.
    """
    from advisor.errors import InputError

    try:
        write(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
