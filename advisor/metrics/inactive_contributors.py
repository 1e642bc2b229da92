"""Inactive contributors."""

from advisor.model import Metric

METRIC = Metric(
    name="inactive_contributors",
    title="Inactive contributors",
    definition=(
        "Number of people who made a commit in the year before the last year, but none in the last year."
    ),
    unit="people",
    direction="less",
    sql="""
    WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source,
               bool_or(day > $as_of - 2 * CAST($window_days AS INTEGER)
                       AND day <= $as_of - CAST($window_days AS INTEGER)) AS was_active
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )
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
