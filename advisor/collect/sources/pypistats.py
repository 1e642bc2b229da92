"""pypistats.org: downloads of a package in the last 30 days, mirrors left out.

Source: pypistats.org/api, ``GET /api/packages/<package>/recent``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from advisor.collect import parts
from advisor.collect.http.messages import Answer, Request, check_status, json_of, segment
from advisor.collect.http.shapes import Count, Shape, count_rows, read_as
from advisor.collect.http.transport import Transport

HOST = "https://pypistats.org"
NEEDS_PACKAGE = True


class _Recent(Shape):
    last_month: Count


class _Answer(Shape):
    data: _Recent


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Add the downloads as of the day.

    Raises:
        CollectError: pypistats.org could not be read.
    """
    request = Request(
        "GET", f"{HOST}/api/packages/{segment(package.lower())}/recent", {"accept": "application/json"}
    )
    downloads = await transport.send(request, read)
    rows = count_rows({"downloads_30d": downloads}, day, "downloads from PyPI in 30 days, mirrors left out")
    about = {"repository": repository, "source": "pypistats.org", "retrieved_at": day.isoformat()}
    parts.add(store, "counts", repository, "pypistats", [{**r, **about} for r in rows], ("day", "metric"))


def read(answer: Answer) -> int:
    """Downloads of the last month."""
    value = json_of(check_status(answer, "pypistats.org"), "pypistats.org")
    return read_as(_Answer, value, "pypistats.org's answer").data.last_month
