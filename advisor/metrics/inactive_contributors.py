"""Inactive contributors."""

from advisor.metrics.shared.people import PEOPLE_OF_TWO_YEARS
from advisor.model import Metric

METRIC = Metric(
    name="inactive_contributors",
    title="Inactive contributors",
    definition=(
        "Number of people who made a commit in the year before the last year, but none in the last year."
    ),
    unit="people",
    direction="less",
    sql=f"""
    {PEOPLE_OF_TWO_YEARS}
    SELECT repository,
           count(*) FILTER (was_active AND day <= $as_of - CAST($window_days AS INTEGER)) AS value,
           value AS low, value AS high, count(*) FILTER (was_active) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3614,
)
