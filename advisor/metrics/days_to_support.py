"""Days to support."""

from advisor.model import Metric

METRIC = Metric(
    name="days_to_support",
    title="Days to support",
    definition=(
        "Kaplan–Meier median of the days from the first public weights of a model family to "
        "its first support, over families that came after the library; those not supported "
        "are censored. Support before the release counts as day 0."
    ),
    unit="days",
    direction="less",
    sql="""
    WITH born AS (
        SELECT repository, min(day) AS day FROM contributions GROUP BY repository
    ),
    spans AS (
        SELECT s.repository, s.source, family_released_on AS began,
               CASE WHEN supported_on IS NOT NULL THEN 1.0 ELSE 0.0 END AS happened,
               greatest(0, coalesce(supported_on, known_until) - family_released_on)::DOUBLE AS days
        FROM model_support AS s JOIN born AS b ON s.repository = b.repository
        WHERE family_released_on >= b.day
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
           CASE WHEN median IS NULL THEN 'fewer than half were ever supported' END AS reason
    FROM medians AS m JOIN about AS a ON m.repository = a.repository
    """,
    needs=("model_support", "contributions"),
)
