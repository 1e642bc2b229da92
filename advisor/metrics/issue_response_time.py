"""Issue response time."""

from advisor.metrics.shared.kaplan_meier import median
from advisor.model import Metric

METRIC = Metric(
    name="issue_response_time",
    title="Issue response time",
    definition=(
        "Kaplan–Meier median of the days from opening to the first comment by a human who is not "
        "the author, over the issues opened in the window; those without one are censored at their "
        "closing or at the as-of date. Issues where nobody looked for a response count as unknown. "
        "Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median("issue", "first_response_at", "fewer than half were answered", "responses_seen"),
    needs=("threads",),
    window_days=365,
    chaoss=3631,
)
