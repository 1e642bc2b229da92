"""Change request acceptance ratio."""

from advisor.metrics.shared.merges import VISIBLE_SQL
from advisor.model import Metric

METRIC = Metric(
    name="change_request_acceptance_ratio",
    title="Change request acceptance ratio",
    label="change requests merged",
    definition=(
        "Share of the change requests opened in the last year that were merged by the as-of date, on GitHub or by "
        "hand. The last 30 days are excluded. Interval: Wilson, 95 %; its high end also counts change requests "
        "that may have been merged by hand without a trace. Unavailable if more may have been merged without a "
        "trace than with one, or if fewer than a tenth of those that GitHub closed were merged."
    ),
    unit="share",
    direction="more",
    sql=f"""
    WITH {VISIBLE_SQL},
    totals AS (
        SELECT repository, count(merged_at)::DOUBLE AS k, count(coalesce(merged_at, possibly_merged_at))::DOUBLE AS h,
               count(*) AS n, list(DISTINCT source) AS sources, min(opened_at)::DATE AS first_day, max(opened_at)::DATE AS last_day
        FROM recent_threads WHERE kind = 'change_request' AND opened_at::DATE <= $as_of - 30
        GROUP BY repository
    )
    SELECT t.repository, CASE WHEN NOT is_hidden THEN k / n END AS value,
           CASE WHEN NOT is_hidden THEN (k + 1.92073 - 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) END AS low,
           CASE WHEN NOT is_hidden THEN (h + 1.92073 + 1.95996 * sqrt(h * (n - h) / n + 0.96036)) / (n + 3.84146) END AS high,
           n, CASE WHEN is_hidden THEN 0.0 ELSE 1.0 END AS evidence_share, sources, first_day, last_day, hidden_reason AS reason
    FROM totals AS t JOIN visibility AS v ON t.repository = v.repository
    """,
    needs=("threads",),
    window_days=365,
    chaoss=3598,
)
