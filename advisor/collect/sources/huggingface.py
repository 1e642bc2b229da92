"""Hugging Face Hub: how many models name the library.

Source: huggingface.co/docs/hub/api, ``GET /api/models``; the Hub counts nothing itself, so the pages
of the listing are followed (``Link``). Past `PAGES` of them the count is a lower bound.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from advisor.collect import parts
from advisor.collect.http.messages import Answer, Request, check_status, json_of, next_link, segment
from advisor.collect.http.shapes import count_rows
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
    url: str | None = f"{HOST}/api/models?filter={segment(package.lower())}&limit={PAGE}"
    models = 0
    for _ in range(PAGES):
        if url is None:
            break
        found, url = await transport.send(Request("GET", url, {"accept": "application/json"}), read)
        models += found
    what = "models on the Hugging Face Hub with the library's tag"
    rows = count_rows({"hub_models": models}, day, what if url is None else f"{what}, at least")
    about = {"repository": repository, "source": "huggingface.co", "retrieved_at": day.isoformat()}
    low_and_high = {"low": models, "high": models if url is None else None}
    added = [{**r, **about, **low_and_high} for r in rows]
    parts.add(store, "counts", repository, "huggingface", added, ("day", "metric"))


def read(answer: Answer) -> tuple[int, str | None]:
    """Models on a page, and the next page."""
    value = json_of(check_status(answer, "the Hugging Face Hub"), "the Hugging Face Hub")
    if not isinstance(value, list) or len(value) > PAGE:
        raise Unsound("the Hugging Face Hub's answer is not a list of models")
    following = next_link(answer)
    return len(value), following if value else None
