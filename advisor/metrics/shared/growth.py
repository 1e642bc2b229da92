"""SQL of the growth of a dated total in a year: the latest total and the one closest to a year earlier."""


def growth_sql(metric: str) -> str:
    """Return the query of a metric: the growth of a total of ``counts``, scaled to the window.

    Args:
        metric: name of the total; the two totals must be 245 to 485 days apart.
    """
    return f"""
    WITH latest AS (
        SELECT * FROM recent_counts WHERE metric = '{metric}' AND value > 0 AND day > $as_of - 400
        QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    ),
    pairs AS (
        SELECT l.repository, l.value AS now, p.value AS past, date_diff('day', p.day, l.day) AS span_days,
               list_distinct([l.source, p.source]) AS sources, p.day AS first_day, l.day AS last_day
        FROM latest AS l JOIN recent_counts AS p ON p.repository = l.repository AND p.metric = '{metric}'
             AND p.value > 0 AND date_diff('day', p.day, l.day) BETWEEN 245 AND 485
        QUALIFY row_number() OVER (PARTITION BY l.repository
                                   ORDER BY abs(date_diff('day', p.day, l.day) - CAST($window_days AS INTEGER)), p.day, p.source) = 1
    )
    SELECT repository, exp(ln(now / past) * CAST($window_days AS INTEGER) / span_days) - 1 AS value,
           value AS low, value AS high, 2 AS n, 1.0 AS evidence_share, sources, first_day, last_day,
           NULL AS reason
    FROM pairs
    """
