"""Change requests duration."""

from advisor.metrics.shared.kaplan_meier import median
from advisor.model import Metric

METRIC = Metric(
    name="change_requests_duration",
    title="Change requests duration",
    definition=(
        "Kaplan–Meier median of the days from opening to merging of the change requests "
        "opened in the window; those not merged are censored at their closing or at the as-of "
        "date. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median("change_request", "merged_at", "fewer than half were merged"),
    needs=("threads",),
    window_days=365,
    chaoss=3587,
)
