"""OpenSSF Scorecard: published score of a repository and of each check.

Source: api.scorecard.dev, ``GET /projects/github.com/<owner>/<name>`` (ossf/scorecard-webapp,
openapi.yaml). A check with score -1 could not run; it gets no row.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from advisor.collect import parts
from advisor.collect.http.messages import HttpRequest, HttpResponse, check_status, quote_segment, read_json
from advisor.collect.http.shapes import Shape, Text, build_count_rows, read_as
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
    """Add the scores as of the day of the Scorecard run.

    Raises:
        RepositoryNotFound: Scorecard has no result for the repository.
        CollectError: Scorecard could not be read.
    """
    del package
    owner, _, name = repository.partition("/")
    url = f"{HOST}/projects/github.com/{quote_segment(owner)}/{quote_segment(name)}"
    result = await transport.send(HttpRequest("GET", url, {"accept": "application/json"}), read_response)
    ran_on = min(date.fromisoformat(result.date[:10]), day)
    scores = {"scorecard": result.score, **{f"scorecard:{c.name}": float(c.score) for c in result.checks}}
    valid_scores = {metric: score for metric, score in scores.items() if score >= 0}
    rows = build_count_rows(valid_scores, ran_on, "OpenSSF Scorecard, 0 to 10")
    provenance = {"repository": repository, "source": "scorecard.dev", "retrieved_at": day.isoformat()}
    parts.add_rows(
        store, "counts", repository, "scorecard", [{**r, **provenance} for r in rows], ("day", "metric")
    )


def read_response(response: HttpResponse) -> _Result:
    """Read the published result."""
    value = read_json(check_status(response, "OpenSSF Scorecard"), "OpenSSF Scorecard")
    return read_as(_Result, value, "OpenSSF Scorecard's response")
