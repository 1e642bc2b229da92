"""Top contributor share."""

from advisor.model import Metric

METRIC = Metric(
    name="top_contributor_share",
    title="Top contributor share",
    definition=(
        "Share of the commits in the window made by the person with most of them, with a "
        "Wilson interval of 95 %. Not applicable below ten commits."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH authors AS (
        SELECT repository, author, sum(commits) AS made, min(source) AS source,
               min(day) AS began, max(day) AS day
        FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot GROUP BY repository, author
    ),
    tops AS (
        SELECT repository, max(made)::DOUBLE AS top, sum(made) AS total,
               list(DISTINCT source) AS sources, min(began) AS first_day, max(day) AS last_day
        FROM authors GROUP BY repository
    )
    SELECT repository, CASE WHEN total >= 10 THEN top / total END AS value,
           CASE WHEN total >= 10 THEN (top + 1.92073 - 1.95996 * sqrt(top * (total - top) / total + 0.96036)) / (total + 3.84146) END AS low,
           CASE WHEN total >= 10 THEN (top + 1.92073 + 1.95996 * sqrt(top * (total - top) / total + 0.96036)) / (total + 3.84146) END AS high,
           total AS n, 1.0 AS evidence_share, sources, first_day, last_day, CASE WHEN total < 10 THEN 'only ' || total || ' commits in the window: concentration says nothing' END AS reason
    FROM tops
    """,
    needs=("contributions",),
    window_days=365,
)
