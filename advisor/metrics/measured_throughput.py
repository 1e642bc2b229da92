"""Measured throughput."""

from advisor.metrics.shared.benchmarks import last_bench
from advisor.model import Metric

METRIC = Metric(
    name="measured_throughput",
    title="Measured throughput",
    definition=(
        "Tokens (no padding) a second over those of a plain trl run of the same bench on the same machine, "
        "as the last bench of this library measured it: its median over the settings of that day, with the "
        "smallest and largest run. Older than a year it does not count."
    ),
    unit="times trl",
    direction="more",
    sql=last_bench("relative_throughput"),
    needs=("benchmarks",),
    window_days=365,
)
