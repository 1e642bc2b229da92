"""Attention."""

from advisor.metrics.shared.attention import mean_place
from advisor.model import Metric

METRIC = Metric(
    name="attention",
    title="Attention",
    definition=(
        "How much a library is looked at: stars, and stars gained in a year. "
        "Mean of the places (share of the population at or below) in a reference population of libraries; "
        "low and high: the lowest and the highest of them."
    ),
    unit="share",
    direction="neither",
    sql=mean_place("attention", least=1),
    needs=("counts",),
    window_days=365,
)
