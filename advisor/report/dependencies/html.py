"""The dependencies of a project as one HTML page, the riskiest first: no script, no address to load from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.dependencies.rows import (
    HEADER,
    alternatives,
    details,
    exemption,
    headline,
    label,
    marks,
    need,
    risks,
    row,
    unknown_line,
)
from advisor.report.dependencies.text import LEGEND

_TEMPLATE = Path(__file__).parent / "page.html.j2"


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return the page."""
    from advisor.report.templates import read_template

    return read_template(_TEMPLATE).render(
        files=", ".join(answer.files),
        goal=answer.goal,
        headline=headline(answer, fail_under),
        notes=answer.notes,
        packages=[_package(h, fail_under, is_certain=answer.is_certain) for h in answer.known],
        unknown=[unknown_line(h) for h in answer.unknown],
        legend=(*LEGEND[:-1], *marks(answer)),
        fail_under=fail_under,
    )


def _package(health: Health, fail_under: float | None, *, is_certain: bool) -> dict[str, Any]:
    """Return what the page shows of a package."""
    assert health.ranked is not None  # noqa: S101 - for the type checker
    fails = (
        health.ranked.excluded if fail_under is None else health.is_below(fail_under, certainly=is_certain)
    )
    return {
        **{name.replace(" ", "_"): cell for name, cell in zip(HEADER, row(health), strict=True)},
        "name": label(health),
        "version": health.dependency.version or "",
        "fails": fails and health.exemption is None,
        "low": health.ranked.low,
        "width": max(health.ranked.high - health.ranked.low, 0.5),
        "point": health.ranked.score,
        "need": need(health),
        "address": f"https://github.com/{health.repository}",
        "place": f"{health.dependency.file}:{health.dependency.line}",
        "risks": risks(health),
        "more": [text for text in (alternatives(health), exemption(health), details(health)) if text],
    }
