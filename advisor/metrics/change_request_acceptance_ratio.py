"""Change request acceptance ratio."""

from advisor.model import Metric

METRIC = Metric(
    name="change_request_acceptance_ratio",
    title="Change request acceptance ratio",
    label="change requests merged",
    definition=(
        "Share of the change requests opened in the last year that were merged by the as-of date. The last 30 "
        "days are excluded. Interval: Wilson, 95 %."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH totals AS (
        SELECT repository, count(merged_at)::DOUBLE AS k, count(*) AS n, list(DISTINCT source) AS sources, min(opened_at)::DATE AS first_day, max(opened_at)::DATE AS last_day
        FROM recent_threads WHERE kind = 'change_request' AND opened_at::DATE <= $as_of - 30
        GROUP BY repository
    )
    SELECT repository, k / n AS value, (k + 1.92073 - 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) AS low, (k + 1.92073 + 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) AS high,
           n, 1.0 AS evidence_share, sources, first_day, last_day, NULL AS reason
    FROM totals
    """,
    needs=("threads",),
    window_days=365,
    chaoss=3598,
)
