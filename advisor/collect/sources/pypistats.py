"""pypistats.org: downloads of a package in the last 30 days, without mirrors.

Source: pypistats.org/api, ``GET /api/packages/<package>/recent``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from advisor.collect import parts
from advisor.collect.http.messages import HttpRequest, HttpResponse, check_status, quote_segment, read_json
from advisor.collect.http.shapes import Count, Shape, build_count_rows, read_as
from advisor.collect.http.transport import Transport

HOST = "https://pypistats.org"
NEEDS_PACKAGE = True


class _Recent(Shape):
    last_month: Count


class _Response(Shape):
    data: _Recent


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Add the number of downloads as of the day.

    Raises:
        CollectError: pypistats.org could not be read.
    """
    request = HttpRequest(
        "GET", f"{HOST}/api/packages/{quote_segment(package.lower())}/recent", {"accept": "application/json"}
    )
    downloads = await transport.send(request, read_response)
    rows = build_count_rows(
        {"downloads_30d": downloads}, day, "downloads from PyPI in 30 days, mirrors left out"
    )
    provenance = {"repository": repository, "source": "pypistats.org", "retrieved_at": day.isoformat()}
    parts.add_rows(
        store, "counts", repository, "pypistats", [{**r, **provenance} for r in rows], ("day", "metric")
    )


def read_response(response: HttpResponse) -> int:
    """Return the downloads of the last month."""
    value = read_json(check_status(response, "pypistats.org"), "pypistats.org")
    return read_as(_Response, value, "pypistats.org's response").data.last_month
