"""The chances of abandonment as measurements, so that a criterion can use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from advisor.model import Measurement, Metric, Outlook

MONTHS = 24
OLD_COMMITS = "its commits were last collected on"
"""Start of the reason why a repository with old facts has no outlook."""
METRIC = Metric(
    name=f"inactive_in_{MONTHS}_months",
    title="Chance of abandonment in 24 months",
    definition=(
        "The calibrated chance that two years later there was no commit by a person for a year; "
        "docs/explanation/method.md has the model and its record."
    ),
    unit="share",
    direction="less",
    sql="",
    needs=("contributions", "threads", "counts", "releases"),
    label="abandoned in 24 months",
)


# The model reads the facts behind these metrics, so the chance has their sources and days.
_READ_BY_THE_MODEL = (
    "days_since_last_commit",
    "contributors",
    "release_frequency",
    "stars",
    "issues_closed_share",
)


def measure_outlooks(
    repository: str, outlooks: Iterable[Outlook], measurements: Mapping[str, Measurement]
) -> dict[str, Measurement]:
    """Return the chance of abandonment in 24 months as a measurement, by the name of the metric.

    Args:
        repository: ``owner/name``.
        outlooks: its outlooks.
        measurements: its other measurements by metric.
    """
    name = METRIC.name
    outlook = next((o for o in outlooks if o.horizon_months == MONTHS), None)
    if outlook is None or outlook.probability_inactive is None:
        reason = outlook.reason if outlook else "there is no outlook"
        return {name: Measurement(repository, name, "unavailable", reason=reason)}
    inputs = [measurements[m] for m in _READ_BY_THE_MODEL if m in measurements]
    inputs = [m for m in inputs if m.status == "measured"]
    commits = measurements.get("days_since_last_commit")
    return {
        name: Measurement(
            repository, name, "measured", outlook.probability_inactive, outlook.low, outlook.high,
            n=commits.n if commits else None, evidence_share=1.0,
            sources=tuple(sorted({source for m in inputs for source in m.sources})),
            first_day=min((m.first_day for m in inputs if m.first_day), default=None),
            last_day=max((m.last_day for m in inputs if m.last_day), default=None),
        )
    }  # fmt: skip


def add_outlook_metric(
    measurements: Mapping[str, Mapping[str, Measurement]], outlooks: Mapping[str, Iterable[Outlook]]
) -> dict[str, dict[str, Measurement]]:
    """Return repository → metric → measurement with the chance of abandonment among them."""
    return {
        name: {**rows, **measure_outlooks(name, outlooks.get(name, ()), rows)}
        for name, rows in measurements.items()
    }
