"""SQL of the latest total of a kind."""


def latest_total_sql(name: str, window: bool) -> str:
    """Return the query of a metric: the latest total of ``counts``.

    Args:
        name: the metric of the rows in ``counts``.
        window: whether a total that is older than the metric's window does not count. Totals that git reads have
            a row only where they change, so they have no window.
    """
    condition = " AND day > $as_of - CAST($window_days AS INTEGER)" if window else ""
    return f"""
    SELECT repository, value, coalesce(low, value) AS low, coalesce(high, value) AS high, 1 AS n,
           1.0 AS evidence_share, [source] AS sources, day AS first_day, day AS last_day, NULL AS reason
    FROM counts WHERE metric = '{name}'{condition}
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    """
