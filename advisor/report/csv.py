"""One row a candidate and metric, for a spreadsheet."""

from __future__ import annotations

import csv
import io

from advisor.model import Recommendation

HEADER = (
    "repository", "rank", "score", "metric", "status", "value", "low", "high", "n",
    "evidence_share", "sources", "first_day", "last_day", "reason",
)  # fmt: skip


def render(answer: Recommendation) -> str:
    """CSV with a header; an empty cell is an unknown value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for r in answer.ranking:
        for m in r.measurements:
            writer.writerow(
                [r.candidate.repository, r.rank, r.score, m.metric, m.status, m.value, m.low, m.high,
                 m.n, m.evidence_share, "; ".join(m.sources), m.first_day, m.last_day, m.reason]
            )  # fmt: skip
    return "".join(_harmless(line) for line in text.getvalue().splitlines(keepends=True))


def _harmless(line: str) -> str:
    # A cell that a spreadsheet would run as a formula can only come from foreign text.
    return line.replace(",=", ",'=").replace(",@", ",'@")
