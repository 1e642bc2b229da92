"""Issue resolution duration."""

from advisor.metrics.shared.kaplan_meier import median
from advisor.model import Metric

METRIC = Metric(
    name="issue_resolution_duration",
    title="Issue resolution duration",
    definition=(
        "Kaplan–Meier median of the days from opening to closing of the issues opened in the "
        "window; open ones are censored at the as-of date. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median("issue", "closed_at", "fewer than half were closed"),
    needs=("threads",),
    window_days=365,
    chaoss=3630,
)
