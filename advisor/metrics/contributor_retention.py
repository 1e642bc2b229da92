"""Contributor retention."""

from advisor.model import Metric

METRIC = Metric(
    name="contributor_retention",
    title="Contributor retention",
    label="contributors who are back",
    definition=(
        "Share of the people with a commit in the year before the last year who made a commit in the last year too. "
        "Bots do not count."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source,
               bool_or(day > $as_of - 2 * CAST($window_days AS INTEGER)
                       AND day <= $as_of - CAST($window_days AS INTEGER)) AS was_active
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )
    SELECT repository,
           CASE WHEN count(*) FILTER (was_active) > 0 THEN
               count(*) FILTER (was_active AND day > $as_of - CAST($window_days AS INTEGER))
               / count(*) FILTER (was_active)::DOUBLE END AS value,
           value AS low, value AS high, count(*) FILTER (was_active) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) FILTER (was_active) = 0 THEN 'nobody contributed in the year before the last year' END AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
