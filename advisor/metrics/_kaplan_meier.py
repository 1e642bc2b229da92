"""The median after Kaplan and Meier over threads, as SQL: what has not happened yet is censored, not left out.

Kaplan and Meier 1958; bounds after Kalbfleisch and Prentice (log-log), variance after Greenwood.
"""


def median(kind: str, event: str, missing: str, known: str = "true") -> str:
    """A metric's query: days from opening until ``event``, by repository.

    Args:
        kind: kind of the threads.
        event: column with the time of the event, NULL where it has not happened; then the thread is
            censored at its closing or at the end of the as-of date.
        missing: the reason to give where more than half of the survival curve stays above 0.5.
        known: condition for threads of which it is known whether it happened; the share of those is
            the share of evidence.
    """
    return f"""
    WITH opened AS (
        SELECT *, coalesce({known}, false) AS known FROM threads
        WHERE kind = '{kind}' AND NOT is_bot AND opened_at::DATE > $as_of - CAST($window_days AS INTEGER)
    ),
    spans AS (
        SELECT repository, source, opened_at AS began,
               CASE WHEN {event} IS NOT NULL THEN 1.0 ELSE 0.0 END AS happened,
               greatest(0, epoch(coalesce({event}, closed_at, closed_by, $as_of + INTERVAL 1 DAY)) - epoch(opened_at)) / 86400 AS days
        FROM opened WHERE known
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
    ),
    evidence AS (
        SELECT repository, count(*) FILTER (known) / count(*)::DOUBLE AS evidence_share FROM opened GROUP BY repository
    )
    SELECT m.repository, median AS value, CASE WHEN median IS NOT NULL THEN least(low, median) END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN '{missing}' END AS reason
    FROM medians AS m JOIN about AS a ON m.repository = a.repository
    JOIN evidence AS e ON m.repository = e.repository
    """
