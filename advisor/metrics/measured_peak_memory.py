"""Measured peak memory."""

from advisor.metrics.shared.benchmarks import last_bench
from advisor.model import Metric

METRIC = Metric(
    name="measured_peak_memory",
    title="Measured peak memory",
    definition=(
        "Peak memory over that of a plain trl run of the same bench on the same machine, "
        "as the last bench of this library measured it: its median over the settings of that day, with the "
        "smallest and largest run. Older than a year it does not count."
    ),
    unit="times trl",
    direction="less",
    sql=last_bench("relative_peak_memory"),
    needs=("benchmarks",),
    window_days=365,
)
