"""Top contributor share."""

from advisor.model import Metric

METRIC = Metric(
    name="top_contributor_share",
    title="Top contributor share",
    definition=(
        "Share of the last year's commits that the most active person made. Interval: Wilson, 95 %. Not "
        "applicable with fewer than ten commits."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH authors AS (
        SELECT repository, author, sum(commits) AS commit_count, min(source) AS source,
               min(day) AS start_day, max(day) AS day
        FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot GROUP BY repository, author
    ),
    top_authors AS (
        SELECT repository, max(commit_count)::DOUBLE AS top_count, sum(commit_count) AS total,
               list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day
        FROM authors GROUP BY repository
    )
    SELECT repository, CASE WHEN total >= 10 THEN top_count / total END AS value,
           CASE WHEN total >= 10 THEN (top_count + 1.92073 - 1.95996 * sqrt(top_count * (total - top_count) / total + 0.96036)) / (total + 3.84146) END AS low,
           CASE WHEN total >= 10 THEN (top_count + 1.92073 + 1.95996 * sqrt(top_count * (total - top_count) / total + 0.96036)) / (total + 3.84146) END AS high,
           total AS n, 1.0 AS evidence_share, sources, first_day, last_day, CASE WHEN total < 10 THEN 'only ' || total || ' commits in the last year: too few to measure concentration' END AS reason
    FROM top_authors
    """,
    needs=("contributions",),
    window_days=365,
)
