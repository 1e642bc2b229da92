"""Ratios of the totals that `advisor collect-docs` counts in the source tree."""

from __future__ import annotations

NO_COUNT = "its documentation was not counted: run `advisor collect-docs`"


def latest_ratio_sql(total: str, base: str, reason: str) -> str:
    """Return the SQL of a metric: the ratio of two totals on the last day on which both were counted.

    The totals are of a whole tree, so the ratio has no interval.

    Args:
        total: metric of the table ``counts`` above the line.
        base: the one below it; its value is n.
        reason: why there is no value if ``base`` is 0.
    """
    return f"""
    WITH days AS (
        SELECT repository, day, max(value) FILTER (metric = '{total}') AS total,
               max(value) FILTER (metric = '{base}') AS base, list(DISTINCT source) AS sources
        FROM counts WHERE metric IN ('{total}', '{base}') GROUP BY repository, day
    ),
    latest AS (
        SELECT * FROM days QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC) = 1
    ),
    ratios AS (
        SELECT repository, CASE WHEN base > 0 THEN total / base END AS value, CAST(base AS BIGINT) AS n, 1.0 AS evidence_share,
               sources, day AS first_day, day AS last_day, CASE WHEN base > 0 THEN NULL ELSE '{reason}' END AS reason
        FROM latest
        UNION ALL
        SELECT repository, CAST(NULL AS DOUBLE), CAST(0 AS BIGINT), 0.0, list(DISTINCT source), min(day), max(day),
               '{NO_COUNT}'
        FROM counts WHERE repository NOT IN (SELECT repository FROM latest) GROUP BY repository
    )
    SELECT repository, value, value AS low, value AS high, n, evidence_share, sources, first_day, last_day, reason
    FROM ratios
    """
