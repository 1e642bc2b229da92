"""Import time."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="import_time",
    title="Import time",
    label="import time",
    definition=(
        "Processor time of the import of the library's main module in an environment of its own, without the start of "
        "Python: the fastest of three runs. It depends on the machine, so compare only values of one."
    ),
    unit="seconds",
    direction="less",
    sql=latest_total_sql("import_seconds", window=True),
    needs=("counts",),
    window_days=400,
)
