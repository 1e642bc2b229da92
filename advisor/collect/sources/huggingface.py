"""Hugging Face Hub: number of models with the library's tag.

Source: huggingface.co/docs/hub/api, ``GET /api/models``. The Hub returns no totals, so this module reads
the pages of the list (``Link``). After `PAGES` pages the count is a lower bound.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from advisor.collect import parts
from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    check_status,
    quote_segment,
    read_json,
    read_next_link,
)
from advisor.collect.http.shapes import build_count_rows
from advisor.collect.http.transport import Transport
from advisor.errors import Unsound

HOST = "https://huggingface.co"
NEEDS_PACKAGE = True
PAGES, PAGE = 20, 1000


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Add the number of models as of the day.

    Raises:
        CollectError: the Hub could not be read.
    """
    url: str | None = f"{HOST}/api/models?filter={quote_segment(package.lower())}&limit={PAGE}"
    models = 0
    for _ in range(PAGES):
        if url is None:
            break
        page_models, url = await transport.send(
            HttpRequest("GET", url, {"accept": "application/json"}), read_response
        )
        models += page_models
    what = "models on the Hugging Face Hub with the library's tag"
    rows = build_count_rows({"hub_models": models}, day, what if url is None else f"{what}, at least")
    provenance = {"repository": repository, "source": "huggingface.co", "retrieved_at": day.isoformat()}
    bounds = {"low": models, "high": models if url is None else None}
    rows = [{**r, **provenance, **bounds} for r in rows]
    parts.add_rows(store, "counts", repository, "huggingface", rows, ("day", "metric"))


def read_response(response: HttpResponse) -> tuple[int, str | None]:
    """Return the number of models on a page and the URL of the next page."""
    value = read_json(check_status(response, "the Hugging Face Hub"), "the Hugging Face Hub")
    if not isinstance(value, list) or len(value) > PAGE:
        raise Unsound("the Hugging Face Hub's response is not a list of models")
    next_url = read_next_link(response)
    return len(value), next_url if value else None
