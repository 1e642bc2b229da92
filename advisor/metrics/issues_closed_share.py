"""Issues closed share."""

from advisor.model import Metric

METRIC = Metric(
    name="issues_closed_share",
    title="Issues closed share",
    definition=(
        "Closed issues over all issues (change requests left out), from the last dated totals "
        "of at most 400 days ago. Interval: Wilson 95 %, or the bounds of a derived total. "
        "Unavailable where no source knows the closed ones."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH of_day AS (
        SELECT repository, day, list_distinct(list(source)) AS sources,
               max(value) FILTER (metric = 'open_issues') AS opened,
               max(value) FILTER (metric = 'closed_issues') AS closed,
               max(value) FILTER (metric = 'issues_total') AS whole,
               max(low) FILTER (metric = 'issues_total') AS whole_low,
               max(high) FILTER (metric = 'issues_total') AS whole_high
        FROM recent_counts WHERE metric IN ('open_issues', 'closed_issues', 'issues_total')
            AND day > $as_of - CAST($window_days AS INTEGER)
        GROUP BY repository, day
    ),
    known AS (
        SELECT *, closed AS k, opened + closed AS n, true AS counted FROM of_day
        WHERE opened + closed > 0
        UNION ALL
        SELECT *, whole - opened AS k, whole AS n, false AS counted FROM of_day
        WHERE closed IS NULL AND whole_low >= opened AND whole > 0
    ),
    latest AS (
        SELECT * FROM known
        QUALIFY row_number() OVER (PARTITION BY repository ORDER BY counted DESC, day DESC) = 1
    )
    SELECT repository, k / n AS value,
           CASE WHEN counted THEN (k + 1.92073 - 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) ELSE least(k / n, 1 - opened / whole_low) END AS low,
           CASE WHEN counted THEN (k + 1.92073 + 1.95996 * sqrt(k * (n - k) / n + 0.96036)) / (n + 3.84146) ELSE greatest(k / n, 1 - opened / whole_high) END AS high,
           n::BIGINT AS n, 1.0 AS evidence_share, sources, day AS first_day, day AS last_day, NULL AS reason
    FROM latest
    """,
    needs=("counts",),
    window_days=400,
)
