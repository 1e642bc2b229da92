"""Change requests duration."""

from advisor.model import Metric

METRIC = Metric(
    name="change_requests_duration",
    title="Change requests duration",
    definition=(
        "Kaplan–Meier median of the days from opening to merging of the change requests "
        "opened in the window; those not merged are censored at their closing or at the as-of "
        "date. Interval: 95 %, log-log."
    ),
    unit="days",
    direction="less",
    sql="""
    WITH spans AS (
        SELECT repository, source, opened_at AS began,
               CASE WHEN merged_at IS NOT NULL THEN 1.0 ELSE 0.0 END AS happened,
               greatest(0, epoch(coalesce(merged_at, closed_at, closed_by, $as_of + INTERVAL 1 DAY)) - epoch(opened_at)) / 86400 AS days
        FROM threads WHERE kind = 'change_request' AND NOT is_bot AND opened_at::DATE > $as_of - CAST($window_days AS INTEGER)
    ),
    steps AS (
        SELECT repository, days, sum(happened) AS d,
               sum(count(*)) OVER (PARTITION BY repository ORDER BY days DESC) AS at_risk
        FROM spans GROUP BY repository, days
    ),
    curve AS (
        SELECT repository, days,
               sum(CASE WHEN d < at_risk THEN ln(1 - d / at_risk) END) OVER w AS log_s,
               bool_or(d = at_risk) OVER w AS is_zero,
               sum(CASE WHEN d < at_risk THEN d / (at_risk * (at_risk - d)) END) OVER w AS greenwood
        FROM steps WINDOW w AS (PARTITION BY repository ORDER BY days)
    ),
    bounds AS (
        SELECT repository, days,
               CASE WHEN is_zero THEN 0 ELSE exp(coalesce(log_s, 0)) END AS s,
               CASE WHEN is_zero THEN 0 WHEN coalesce(log_s, 0) = 0 THEN 1
                    ELSE exp(log_s * exp(1.96 * sqrt(greenwood) / abs(log_s))) END AS s_low,
               CASE WHEN is_zero THEN 0 WHEN coalesce(log_s, 0) = 0 THEN 1
                    ELSE exp(log_s * exp(-1.96 * sqrt(greenwood) / abs(log_s))) END AS s_high
        FROM curve
    ),
    medians AS (
        SELECT repository, min(days) FILTER (s <= 0.5 + 1e-12) AS median,
               min(days) FILTER (s_low <= 0.5) AS low, min(days) FILTER (s_high <= 0.5) AS high,
               max(days) AS longest
        FROM bounds GROUP BY repository
    ),
    about AS (
        SELECT repository, count(*) AS n, list(DISTINCT source) AS sources, min(began)::DATE AS first_day,
               max(began)::DATE AS last_day FROM spans GROUP BY repository
    )
    SELECT m.repository, median AS value, CASE WHEN median IS NOT NULL THEN least(low, median) END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN 'fewer than half were merged' END AS reason
    FROM medians AS m JOIN about AS a ON m.repository = a.repository
    """,
    needs=("threads",),
    window_days=365,
    chaoss=3587,
)
