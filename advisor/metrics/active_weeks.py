"""Active weeks."""

from advisor.model import Metric

METRIC = Metric(
    name="active_weeks",
    title="Active weeks",
    definition=(
        "Number of weeks (seven days, counted back from the as-of date) of the last year in which a person, "
        "not a bot, made a commit on the default branch."
    ),
    unit="weeks",
    direction="more",
    sql="""
    SELECT repository, coalesce(count(DISTINCT date_diff('day', day, $as_of) // 7) FILTER (day > $as_of - 364 AND NOT is_bot), 0) AS value, value AS low, value AS high,
           coalesce(sum(commits) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot), 0) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM contributions GROUP BY repository
    """,
    needs=("contributions",),
    window_days=364,
)
