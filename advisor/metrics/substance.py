"""Substance."""

from advisor.metrics.shared.attention import mean_place_sql
from advisor.model import Metric

METRIC = Metric(
    name="substance",
    title="Substance",
    definition=(
        "How much people use a library and work on it: downloads, all contributors so far, closed issues and "
        "change requests. The value is the mean percentile of these figures in a reference population of "
        "libraries. Low and high: the lowest and the highest of these percentiles."
    ),
    unit="share",
    direction="more",
    sql=mean_place_sql("substance", minimum=2),
    needs=("contributions", "threads", "counts"),
    window_days=365,
)
