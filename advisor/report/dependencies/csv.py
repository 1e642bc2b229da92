"""One row a package, for a spreadsheet; an empty cell is an unknown value."""

from __future__ import annotations

import csv
import io

from advisor.answers.dependencies.health import Dependencies
from advisor.report.dependencies import risks

HEADER = (
    "ecosystem", "package", "version", "file", "line", "groups", "repository", "origin", "as_of", "score",
    "low", "high", "coverage", "excluded", "inactive_in_24_months", "risks", "alternatives", "unknown",
)  # fmt: skip

MONTHS = 24


def render(answer: Dependencies, fail_under: float | None = None) -> str:  # noqa: ARG001 - as all formats
    """CSV with a header, the riskiest first, the unknown last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for health in (*answer.known, *answer.unknown):
        d, r = health.dependency, health.ranked
        chance = next(
            (o.probability_inactive for o in (r.outlook if r else ()) if o.horizon_months == MONTHS), None
        )
        numbers = [r.score, r.low, r.high, r.coverage, r.excluded, chance] if r else [None] * 6
        cells = [
            d.ecosystem, d.name, d.version, d.file, d.line, " ".join(d.groups), health.repository,
            health.origin, health.as_of, *numbers, "; ".join(risks(health)),
            "; ".join(a.name for a in health.alternatives), health.unknown,
        ]  # fmt: skip
        writer.writerow([_harmless(c) for c in cells])
    return text.getvalue()


def _harmless(cell: object) -> object:
    # A spreadsheet runs a cell that begins like this as a formula, and names are foreign text.
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t")) else cell
