"""Timely support."""

from advisor.metrics.shared.survival import support_curves
from advisor.model import Metric

METRIC = Metric(
    name="timely_support",
    title="Timely support",
    definition=(
        "Share of the model families that came after the library and that it supports within 90 days "
        "of their first public weights; Kaplan–Meier, so that families younger than that count for as "
        "long as they were there. Interval: 95 %, log-log."
    ),
    unit="share",
    direction="more",
    sql=f"""
    WITH {support_curves()}
    SELECT repository, within AS value, within_low AS low, within_high AS high, n, 1.0 AS evidence_share,
           sources, first_day, last_day, NULL AS reason
    FROM curves
    """,
    needs=("model_support", "contributions"),
)
