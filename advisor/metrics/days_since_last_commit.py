"""Days since last commit."""

from advisor.model import Metric

METRIC = Metric(
    name="days_since_last_commit",
    title="Days since last commit",
    definition=("Days from the last commit by a person, not a bot, on the default branch to the as-of date."),
    unit="days",
    direction="less",
    sql="""
    SELECT repository, date_diff('day', max(day), least($as_of, max(retrieved_at))) AS value, value AS low,
           date_diff('day', max(day), $as_of) AS high, sum(commits) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(day) AS first_day,
           max(day) AS last_day, NULL AS reason
    FROM contributions WHERE NOT is_bot GROUP BY repository
    """,
    needs=("contributions",),
)
