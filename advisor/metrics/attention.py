"""Attention."""

from advisor.metrics.shared.attention import mean_place_sql
from advisor.model import Metric

METRIC = Metric(
    name="attention",
    title="Attention",
    definition=(
        "How many people notice a library: its stars, and the stars that it gained in a year. The value is "
        "the mean percentile of these figures in a reference population of libraries. Low and high: the "
        "lowest and the highest of these percentiles."
    ),
    unit="share",
    direction="neither",
    sql=mean_place_sql("attention", minimum=1),
    needs=("counts",),
    window_days=365,
)
