"""Timely support."""

from advisor.metrics.shared.survival import support_curves
from advisor.model import Metric

METRIC = Metric(
    name="timely_support",
    title="Timely support",
    label="new models within 90 days",
    definition=(
        "Share of the model families newer than the library that it names or shows within 90 days after the "
        "publication of their weights. It is a Kaplan–Meier estimate, so a family younger than 90 days counts "
        "for the days since its publication. Interval: 95 %, log-log."
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
