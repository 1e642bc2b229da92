"""Time to first response."""

from advisor.metrics.shared.kaplan_meier import median
from advisor.model import Metric

METRIC = Metric(
    name="time_to_first_response",
    title="Time to first response",
    definition=(
        "Kaplan–Meier median of the days from opening to the first comment or review by a human "
        "who is not the author, over the change requests opened in the window; those without one "
        "are censored at their closing or at the as-of date. Change requests where nobody looked "
        "for a response count as unknown. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median("change_request", "first_response_at", "fewer than half were answered", "responses_seen"),
    needs=("threads",),
    window_days=365,
    chaoss=3448,
)
