"""The chances of abandonment as measurements, so that a criterion can use them."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.model import Measurement, Outlook


def measure_outlooks(repository: str, outlooks: Iterable[Outlook]) -> dict[str, Measurement]:
    """Return the chances of abandonment of a repository as measurements, by the name of the metric."""
    measurements = {}
    for outlook in outlooks:
        name = f"inactive_in_{outlook.horizon_months}_months"
        if outlook.probability_inactive is None:
            measurements[name] = Measurement(repository, name, "unavailable", reason=outlook.reason)
        else:
            measurements[name] = Measurement(
                repository, name, "measured", outlook.probability_inactive, outlook.low, outlook.high,
                evidence_share=1.0, sources=("outlook",),
            )  # fmt: skip
    return measurements
