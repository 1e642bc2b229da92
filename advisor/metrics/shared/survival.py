"""Kaplan-Meier curves in SQL: open cases are censored, not left out and not counted as done.

Kaplan and Meier 1958; bounds after Kalbfleisch and Prentice (log-log), variance after Greenwood.
"""

from __future__ import annotations

WITHIN_DAYS = 90


def support_spans(support: str) -> str:
    """Common table expressions that end in ``followed``: from a family's release to its support.

    It has the columns of ``support`` and ``days``, ``happened``. Families older than the library are
    left out: nobody could support them on the day. Support before the release counts as day 0.

    Args:
        support: what to select from: ``family_support`` or a query of the same columns in brackets.
    """
    return f"""
    born AS (
        SELECT repository, min(day) AS day FROM contributions GROUP BY repository
    ),
    followed AS (
        SELECT s.*, CASE WHEN supported_on IS NOT NULL THEN 1.0 ELSE 0.0 END AS happened,
               greatest(0, date_diff('day', family_released_on, coalesce(supported_on, known_until)))::DOUBLE AS days
        FROM {support} AS s JOIN born AS b ON s.repository = b.repository
        WHERE family_released_on >= b.day
    )"""


def support_curves() -> str:
    """Common table expressions that end in ``curves``: one row a repository, over families of any route.

    It has the columns of ``medians`` and ``sources``, ``first_day``, ``last_day`` (of releases of weights).
    """
    return f"""
    {support_spans("family_support")},
    spans AS (SELECT repository, days, happened FROM followed),
    {medians("repository")},
    about AS (
        SELECT repository, list_distinct(flatten(list(sources))) AS sources,
               min(family_released_on) AS first_day, max(family_released_on) AS last_day
        FROM followed GROUP BY repository
    ),
    curves AS (SELECT * FROM medians JOIN about USING (repository))"""


def medians(keys: str) -> str:
    """Common table expressions that end in ``medians``.

    They start from an expression ``spans`` with the columns of ``keys``, ``days`` (DOUBLE, 0 or more)
    and ``happened`` (1.0 if the event came after that many days, 0.0 if it had not by then).
    ``medians`` has one row a key with ``median`` (NULL where the curve never falls to one half),
    ``low`` and ``high`` (95 %, log-log transformed; Brookmeyer & Crowley 1982), ``longest`` (days of
    the longest span), ``n``, ``events`` and ``within`` (share that had happened after
    ``WITHIN_DAYS``, with ``within_low`` and ``within_high``).

    Args:
        keys: columns that tell the groups apart, as they stand after GROUP BY.
    """
    return f"""
    ranked AS (
        SELECT {keys}, days, happened, count(*) OVER (PARTITION BY {keys}) AS n,
               rank() OVER (PARTITION BY {keys} ORDER BY days) AS place
        FROM spans
    ),
    steps AS ( -- where nothing happens the curve does not move
        SELECT {keys}, days, CAST(sum(happened) AS DOUBLE) AS d, CAST(max(n + 1 - place) AS DOUBLE) AS at_risk
        FROM ranked WHERE happened > 0 GROUP BY {keys}, days
    ),
    curve AS (
        SELECT {keys}, days,
               sum(CASE WHEN d < at_risk THEN ln(1 - d / at_risk) END) OVER w AS log_s,
               d = at_risk AS is_zero, -- then nobody is left: it is the last step
               sum(CASE WHEN d < at_risk THEN d / (at_risk * (at_risk - d)) END) OVER w AS greenwood
        FROM steps WINDOW w AS (PARTITION BY {keys} ORDER BY days ROWS UNBOUNDED PRECEDING)
    ),
    bounds AS (
        SELECT {keys}, days,
               CASE WHEN is_zero THEN 0 ELSE exp(coalesce(log_s, 0)) END AS s,
               CASE WHEN is_zero THEN 0 WHEN coalesce(log_s, 0) = 0 THEN 1
                    ELSE exp(log_s * exp(1.96 * sqrt(greenwood) / abs(log_s))) END AS s_low,
               CASE WHEN is_zero THEN 0 WHEN coalesce(log_s, 0) = 0 THEN 1
                    ELSE exp(log_s * exp(-1.96 * sqrt(greenwood) / abs(log_s))) END AS s_high
        FROM curve
    ),
    medians AS (
        SELECT {keys}, min(days) FILTER (s <= 0.5 + 1e-12) AS median,
               least(min(days) FILTER (s_low <= 0.5), min(days) FILTER (s <= 0.5 + 1e-12)) AS low,
               min(days) FILTER (s_high <= 0.5) AS high, any_value(longest) AS longest,
               any_value(n) AS n, any_value(events) AS events,
               1 - coalesce(arg_max(s, days) FILTER (days <= {WITHIN_DAYS}), 1) AS within,
               1 - coalesce(arg_max(s_high, days) FILTER (days <= {WITHIN_DAYS}), 1) AS within_low,
               1 - coalesce(arg_max(s_low, days) FILTER (days <= {WITHIN_DAYS}), 1) AS within_high
        FROM (
            SELECT {keys}, count(*) AS n, sum(happened)::BIGINT AS events, max(days) AS longest
            FROM spans GROUP BY {keys}
        ) LEFT JOIN bounds USING ({keys}) GROUP BY {keys}
    )"""
