"""OpenSSF Scorecard: the published score of a repository and of each check.

Source: api.scorecard.dev, ``GET /projects/github.com/<owner>/<name>`` (ossf/scorecard-webapp,
openapi.yaml). A check that could not be made has score -1 there; here it has no row.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from advisor.collect import parts
from advisor.collect.http.messages import Answer, Request, check_status, json_of, segment
from advisor.collect.http.shapes import Shape, Text, count_rows, read_as
from advisor.collect.http.transport import Transport

HOST = "https://api.scorecard.dev"
NEEDS_PACKAGE = False


class _Check(Shape):
    name: Annotated[Text, Field(max_length=60, pattern=r"[A-Za-z-]+")]
    score: Annotated[int, Field(ge=-1, le=10)]


class _Result(Shape):
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d", max_length=40)]
    score: Annotated[float, Field(ge=-1, le=10, allow_inf_nan=False)]
    checks: list[_Check]


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Add the scores as of the day on which Scorecard ran.

    Raises:
        RepositoryNotFound: Scorecard publishes none for it.
        CollectError: Scorecard could not be read.
    """
    del package
    owner, _, name = repository.partition("/")
    url = f"{HOST}/projects/github.com/{segment(owner)}/{segment(name)}"
    result = await transport.send(Request("GET", url, {"accept": "application/json"}), read)
    ran_on = min(date.fromisoformat(result.date[:10]), day)
    scores = {"scorecard": result.score, **{f"scorecard:{c.name}": float(c.score) for c in result.checks}}
    known = {metric: score for metric, score in scores.items() if score >= 0}
    rows = count_rows(known, ran_on, "OpenSSF Scorecard, 0 to 10")
    about = {"repository": repository, "source": "scorecard.dev", "retrieved_at": day.isoformat()}
    parts.add(store, "counts", repository, "scorecard", [{**r, **about} for r in rows], ("day", "metric"))


def read(answer: Answer) -> _Result:
    """The result as published."""
    value = json_of(check_status(answer, "OpenSSF Scorecard"), "OpenSSF Scorecard")
    return read_as(_Result, value, "OpenSSF Scorecard's answer")
