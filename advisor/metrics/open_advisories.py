"""Open security advisories."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="open_advisories",
    title="Open security advisories",
    definition=(
        "Number of published security advisories that apply to the current version of the package, by "
        "deps.dev. The value is the latest dated total; totals older than 400 days do not count."
    ),
    unit="advisories",
    direction="less",
    sql=latest_total_sql("advisories", window=True),
    needs=("counts",),
    window_days=400,
)
