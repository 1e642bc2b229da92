"""A recommendation as CSV: one row for each candidate and metric."""

from __future__ import annotations

from advisor.model import Recommendation
from advisor.report.csv import write_csv

HEADER = (
    "repository", "rank", "score", "metric", "status", "value", "low", "high", "n",
    "evidence_share", "sources", "first_day", "last_day", "reason",
)  # fmt: skip


def render(answer: Recommendation) -> str:
    """Return CSV with a header; an empty cell is an unknown value."""
    return write_csv(
        HEADER,
        (
            [r.candidate.repository, r.rank, r.score, m.metric, m.status, m.value, m.low, m.high,
             m.n, m.evidence_share, "; ".join(m.sources), m.first_day, m.last_day, m.reason]
            for r in answer.ranking
            for m in r.measurements
        ),
    )  # fmt: skip
