"""Time to first response."""

from advisor.metrics.shared.kaplan_meier import median_sql
from advisor.model import Metric

METRIC = Metric(
    name="time_to_first_response",
    title="Time to first response",
    definition=(
        "Kaplan–Meier median of the days from opening to the first comment or review by a person other than "
        "the author, for the change requests opened in the last year. Change requests without such a response "
        "are censored when they are closed, or at the as-of date. Change requests from a source without "
        "responses count as unknown. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql=median_sql(
        "change_request",
        "first_response_at",
        "fewer than half of the change requests were answered, so the median is unknown",
        "responses_seen",
    ),
    needs=("threads",),
    window_days=365,
    chaoss=3448,
)
