"""Issue response time."""

from advisor.metrics.shared.kaplan_meier import median_sql
from advisor.model import Metric

METRIC = Metric(
    name="issue_response_time",
    title="Issue response time",
    definition=(
        "Kaplan–Meier median of the days from opening to the first comment by a person other than the author, "
        "for the issues opened in the last year. Issues without such a comment are censored when they are "
        "closed, or at the as-of date. Issues from a source without responses count as unknown. Interval: 95 "
        "%, log-log."
    ),
    unit="days",
    direction="less",
    sql=median_sql(
        "issue",
        "first_response_at",
        "fewer than half of the issues were answered, so the median is unknown",
        "responses_seen",
    ),
    needs=("threads",),
    window_days=365,
    chaoss=3631,
)
