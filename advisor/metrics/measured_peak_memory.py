"""Measured peak memory."""

from advisor.metrics.shared.benchmarks import latest_bench_sql
from advisor.model import Metric

METRIC = Metric(
    name="measured_peak_memory",
    title="Measured peak memory",
    label="peak memory, trl = 1",
    definition=(
        "Peak memory divided by that of a plain trl run in the same bench on the same machine. The value is "
        "the median over the settings of this library's latest bench, with the smallest and the largest run. "
        "Benches older than a year do not count."
    ),
    unit="times trl",
    direction="less",
    sql=latest_bench_sql("relative_peak_memory"),
    needs=("benchmarks",),
    window_days=365,
)
