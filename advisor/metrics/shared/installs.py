"""SQL of what an install of a library's package brings."""

INSTALLS = """
    newest AS (
        SELECT repository, max(day) AS day FROM installs
        WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY repository
    ),
    lock AS (
        SELECT i.* FROM installs AS i JOIN newest AS n ON n.repository = i.repository AND n.day = i.day
    )"""
"""Common table expressions: the rows of the newest lock of each library within the window."""


def lock_sql(value: str, low: str, high: str, unknown: str, reason: str) -> str:
    """Return the SQL of a metric over the packages of the newest lock.

    Args:
        value: an aggregate over the packages.
        low: its lower bound.
        high: its upper bound.
        unknown: condition of a package whose figure is unknown.
        reason: an SQL expression of why there is no value though there is a lock; or NULL.
    """
    return f"""
    WITH {INSTALLS},
    totals AS (
        SELECT repository, {value} AS value, {low} AS low, {high} AS high, count(part) AS n,
               count(*) FILTER (part IS NOT NULL AND NOT ({unknown})) AS known, list(DISTINCT source) AS sources,
               min(day) AS first_day, max(day) AS last_day, max(reason) AS no_lock, {reason} AS no_value
        FROM lock GROUP BY repository
    )
    SELECT repository, CASE WHEN known > 0 THEN value END AS value, CASE WHEN known > 0 THEN low END AS low,
           CASE WHEN known > 0 THEN high END AS high, n, coalesce(known / nullif(n, 0)::DOUBLE, 0.0) AS evidence_share,
           sources, first_day, last_day,
           CASE WHEN n = 0 THEN 'no lock: ' || coalesce(no_lock, 'the reason is unknown')
                WHEN known = 0 THEN no_value END AS reason
    FROM totals
    """
