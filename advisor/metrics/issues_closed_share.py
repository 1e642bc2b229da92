"""Issues closed share."""

from advisor.model import Metric

METRIC = Metric(
    name="issues_closed_share",
    title="Issues closed share",
    label="issues closed",
    definition=(
        "Closed issues divided by all issues (without change requests), from the latest dated totals; totals "
        "older than 400 days do not count. Interval: Wilson, 95 %, or the bounds of an estimated total. "
        "Unavailable if no source reports the closed issues."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH day_totals AS (
        SELECT repository, day, list_distinct(list(source)) AS sources,
               max(value) FILTER (metric = 'open_issues') AS open_count,
               max(value) FILTER (metric = 'closed_issues') AS closed_count,
               max(value) FILTER (metric = 'issues_total') AS total,
               max(low) FILTER (metric = 'issues_total') AS total_low,
               max(high) FILTER (metric = 'issues_total') AS total_high
        FROM recent_counts WHERE metric IN ('open_issues', 'closed_issues', 'issues_total')
            AND day > $as_of - CAST($window_days AS INTEGER)
        GROUP BY repository, day
    ),
    usable_days AS (
        SELECT *, closed_count AS k, open_count + closed_count AS n, true AS is_exact FROM day_totals
        WHERE open_count + closed_count > 0
        UNION ALL
        SELECT *, total - open_count AS k, total AS n, false AS is_exact FROM day_totals
        WHERE closed_count IS NULL AND total_low >= open_count AND total > 0
    ),
    latest AS (
        SELECT * FROM usable_days
        QUALIFY row_number() OVER (PARTITION BY repository ORDER BY is_exact DESC, day DESC) = 1
    )
    SELECT repository, k / n AS value,
           CASE WHEN is_exact THEN (k + 1.92073 - 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) ELSE least(k / n, 1 - open_count / total_low) END AS low,
           CASE WHEN is_exact THEN (k + 1.92073 + 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) ELSE greatest(k / n, 1 - open_count / total_high) END AS high,
           n::BIGINT AS n, 1.0 AS evidence_share, sources, day AS first_day, day AS last_day, NULL AS reason
    FROM latest
    """,
    needs=("counts",),
    window_days=400,
)
