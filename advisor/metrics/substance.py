"""Substance."""

from advisor.metrics.shared.attention import mean_place
from advisor.model import Metric

METRIC = Metric(
    name="substance",
    title="Substance",
    definition=(
        "How much a library is used and worked on: downloads, people who ever contributed, issues closed, "
        "change requests. "
        "Mean of the places (share of the population at or below) in a reference population of libraries; "
        "low and high: the lowest and the highest of them."
    ),
    unit="share",
    direction="more",
    sql=mean_place("substance", least=2),
    needs=("contributions", "threads", "counts"),
    window_days=365,
)
