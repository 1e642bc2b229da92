"""Change requests duration."""

from advisor.metrics.shared.merges import VISIBLE_SQL
from advisor.metrics.shared.survival import medians
from advisor.model import Metric

METRIC = Metric(
    name="change_requests_duration",
    title="Change requests duration",
    definition=(
        "Kaplan–Meier median of the days from opening to merging, for the change requests opened in the last "
        "year. Change requests that are not merged are censored when they are closed, or at the as-of date. "
        "Interval: 95 %, log-log; its ends also cover the median if those that may have been merged by hand were "
        "merged. Unavailable where the acceptance ratio is."
    ),
    unit="days",
    direction="less",
    sql=f"""
    WITH {VISIBLE_SQL},
    events AS (
        SELECT repository, source, opened_at, coalesce(closed_at, closed_by, $as_of + INTERVAL 1 DAY) AS end_time,
               merged_at, coalesce(merged_at, possibly_merged_at) AS latest_merge
        FROM recent_threads WHERE kind = 'change_request'
    ),
    spans AS (
        SELECT repository, 'visible' AS count_of, CASE WHEN merged_at IS NOT NULL THEN 1.0 ELSE 0.0 END AS is_event,
               greatest(0, epoch(coalesce(merged_at, end_time)) - epoch(opened_at)) / 86400 AS days FROM events
        UNION ALL
        SELECT repository, 'possible', CASE WHEN latest_merge IS NOT NULL THEN 1.0 ELSE 0.0 END,
               greatest(0, epoch(coalesce(latest_merge, end_time)) - epoch(opened_at)) / 86400 FROM events
    ),
    {medians("repository, count_of")},
    provenance AS (
        SELECT repository, list(DISTINCT source) AS sources, min(opened_at)::DATE AS first_day, max(opened_at)::DATE AS last_day
        FROM events GROUP BY repository
    ),
    curves AS (
        SELECT m.repository, m.median, m.n, least(m.low, p.low) AS low, greatest(coalesce(m.high, m.longest), coalesce(p.high, p.longest)) AS high
        FROM (SELECT * FROM medians WHERE count_of = 'visible') AS m
        JOIN (SELECT * FROM medians WHERE count_of = 'possible') AS p ON m.repository = p.repository
    )
    SELECT m.repository, CASE WHEN NOT is_hidden THEN median END AS value,
           CASE WHEN NOT is_hidden AND median IS NOT NULL THEN low END AS low,
           CASE WHEN NOT is_hidden AND median IS NOT NULL THEN high END AS high, n,
           CASE WHEN is_hidden THEN 0.0 ELSE 1.0 END AS evidence_share, sources, first_day, last_day,
           CASE WHEN is_hidden THEN hidden_reason WHEN median IS NULL THEN 'fewer than half of the change requests were merged, so the median is unknown' END AS reason
    FROM curves AS m JOIN provenance AS p ON m.repository = p.repository JOIN visibility AS v ON m.repository = v.repository
    """,
    needs=("threads",),
    window_days=365,
    chaoss=3587,
)
