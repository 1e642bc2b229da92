"""Code changes commits."""

from advisor.model import Metric

METRIC = Metric(
    name="code_changes_commits",
    title="Code changes commits",
    label="commits in a year",
    definition=(
        "Number of commits by people, not bots, on the default branch in the last year, without merge "
        "commits."
    ),
    unit="commits",
    direction="more",
    sql="""
    SELECT repository, coalesce(sum(commits) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot), 0) AS value, value AS low, value AS high,
           coalesce(sum(commits) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot), 0) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM contributions GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=4707,
)
