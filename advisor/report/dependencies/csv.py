"""The dependencies of a project as CSV: one row for each package, an empty cell is an unknown value."""

from __future__ import annotations

from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report.csv import write_csv
from advisor.report.dependencies.rows import exemption, need, risks

HEADER = (
    "ecosystem", "package", "version", "file", "line", "groups", "repository", "origin", "as_of", "score",
    "low", "high", "coverage", "excluded", "inactive_in_24_months", "abandoned_at_this_score",
    "abandoned_at_this_score_low", "abandoned_at_this_score_high", "risks", "alternatives",
    "unknown", "is_claim", "needed_by", "licence", "downloads", "dependents", "advisories", "is_yanked",
    "download_bytes", "importing_files", "exception",
)  # fmt: skip

MONTHS = 24


def render(answer: Dependencies) -> str:
    """Return CSV with a header; the riskiest package first, packages without a score last."""
    return write_csv(HEADER, map(_row, (*answer.known, *answer.unknown)))


def _row(health: Health) -> list[object]:
    d, r = health.dependency, health.ranked
    chance = next(
        (o.probability_inactive for o in (r.outlook if r else ()) if o.horizon_months == MONTHS), None
    )
    numbers = [r.score, r.low, r.high, r.coverage, r.excluded, chance] if r else [None] * 6
    band = health.band
    own = health.details
    facts = [
        own.licence, own.downloads, own.dependents, own.advisories, own.is_yanked, own.download_bytes,
        health.importing_files,
    ]  # fmt: skip
    shares = [band.share, band.low, band.high] if band else [None] * 3
    return [
        d.ecosystem, d.name, d.version, d.file, d.line, " ".join(d.groups), health.repository,
        health.origin, health.as_of, *numbers, *shares, "; ".join(risks(health)),
        "; ".join(a.name for a in health.alternatives), health.unknown,
        health.is_claim, need(health), *facts, exemption(health),
    ]  # fmt: skip
