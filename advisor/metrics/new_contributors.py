"""New contributors."""

from advisor.metrics.shared.people import PEOPLE
from advisor.model import Metric

METRIC = Metric(
    name="new_contributors",
    title="New contributors",
    definition=("Number of people whose first commit ever on the default branch is in the last year."),
    unit="people",
    direction="more",
    sql=f"""
    {PEOPLE}
    SELECT repository, count(*) FILTER (start_day > $as_of - CAST($window_days AS INTEGER)) AS value,
           value AS low, value AS high, count(*) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3613,
)
