"""Issue resolution duration."""

from advisor.metrics.shared.kaplan_meier import median_sql
from advisor.model import Metric

METRIC = Metric(
    name="issue_resolution_duration",
    title="Issue resolution duration",
    definition=(
        "Kaplan–Meier median of the days from opening to closing, for the issues opened in the last year. "
        "Open issues are censored at the as-of date. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median_sql(
        "issue", "closed_at", "fewer than half of the issues were closed, so the median is unknown"
    ),
    needs=("threads",),
    window_days=365,
    chaoss=3630,
)
