"""Measured throughput."""

from advisor.metrics.shared.benchmarks import latest_bench_sql
from advisor.model import Metric

METRIC = Metric(
    name="measured_throughput",
    title="Measured throughput",
    label="training speed, trl = 1",
    definition=(
        "Tokens per second (without padding) divided by those of a plain trl run in the same bench on the "
        "same machine. The value is the median over the settings of this library's latest bench, with the "
        "smallest and the largest run. Benches older than a year do not count."
    ),
    unit="times trl",
    direction="more",
    sql=latest_bench_sql("relative_throughput"),
    needs=("benchmarks",),
    window_days=365,
)
