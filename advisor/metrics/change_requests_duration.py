"""Change requests duration."""

from advisor.metrics.shared.kaplan_meier import median_sql
from advisor.model import Metric

METRIC = Metric(
    name="change_requests_duration",
    title="Change requests duration",
    definition=(
        "Kaplan–Meier median of the days from opening to merging, for the change requests opened in the last "
        "year. Change requests that are not merged are censored when they are closed, or at the as-of date. "
        "Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median_sql(
        "change_request",
        "merged_at",
        "fewer than half of the change requests were merged, so the median is unknown",
    ),
    needs=("threads",),
    window_days=365,
    chaoss=3587,
)
