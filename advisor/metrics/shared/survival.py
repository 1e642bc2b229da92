"""SQL of Kaplan-Meier curves: open cases are censored. They are neither excluded nor counted as events.

Kaplan and Meier 1958; bounds after Kalbfleisch and Prentice (log-log), variance after Greenwood.
"""

from __future__ import annotations

WITHIN_DAYS = 90


def support_spans(support: str) -> str:
    """Return common table expressions; the last is ``family_spans``: from a release to its support.

    ``family_spans`` has the columns of ``support`` and ``days``, ``is_event``. Families older than the library
    are excluded, because the library could not support them at their release. Support before the release
    counts as day 0.

    Args:
        support: ``family_support``, or a query with the same columns in brackets.
    """
    return f"""
    first_commits AS (
        SELECT repository, min(day) AS day FROM contributions GROUP BY repository
    ),
    family_spans AS (
        SELECT s.*, CASE WHEN supported_on IS NOT NULL THEN 1.0 ELSE 0.0 END AS is_event,
               greatest(0, date_diff('day', family_released_on, coalesce(supported_on, known_until)))::DOUBLE AS days
        FROM {support} AS s JOIN first_commits AS c ON s.repository = c.repository
        WHERE family_released_on >= c.day
    )"""


def support_curves() -> str:
    """Return common table expressions; the last is ``curves``: one row per repository, over all routes.

    ``curves`` has the columns of ``medians`` and ``sources``, ``first_day``, ``last_day`` (of the families'
    releases).
    """
    return f"""
    {support_spans("family_support")},
    spans AS (SELECT repository, days, is_event FROM family_spans),
    {medians("repository")},
    provenance AS (
        SELECT repository, list_distinct(flatten(list(sources))) AS sources,
               min(family_released_on) AS first_day, max(family_released_on) AS last_day
        FROM family_spans GROUP BY repository
    ),
    curves AS (SELECT * FROM medians JOIN provenance USING (repository))"""


def medians(keys: str) -> str:
    """Return common table expressions; the last is ``medians``.

    The input is a table ``spans`` with the columns of ``keys``, ``days`` (DOUBLE, 0 or more) and ``is_event``
    (1.0 if the event occurred after that many days, 0.0 if the span is censored). ``medians`` has one row per
    key: ``median`` (NULL if the curve never falls to one half), ``low`` and ``high`` (95 %, log-log
    transformed; Brookmeyer & Crowley 1982), ``longest`` (days of the longest span), ``n``, ``events`` and
    ``within`` (share with the event in the first ``WITHIN_DAYS`` days, with ``within_low`` and
    ``within_high``).

    Args:
        keys: columns of the groups, as after GROUP BY.
    """
    return f"""
    ordered_spans AS (
        SELECT {keys}, days, is_event, count(*) OVER (PARTITION BY {keys}) AS n,
               rank() OVER (PARTITION BY {keys} ORDER BY days) AS place
        FROM spans
    ),
    steps AS ( -- the curve changes only on days with an event
        SELECT {keys}, days, CAST(sum(is_event) AS DOUBLE) AS d, CAST(max(n + 1 - place) AS DOUBLE) AS at_risk
        FROM ordered_spans WHERE is_event > 0 GROUP BY {keys}, days
    ),
    curve AS (
        SELECT {keys}, days,
               sum(CASE WHEN d < at_risk THEN ln(1 - d / at_risk) END) OVER w AS log_s,
               d = at_risk AS is_zero, -- no span remains at risk: this is the last step
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
            SELECT {keys}, count(*) AS n, sum(is_event)::BIGINT AS events, max(days) AS longest
            FROM spans GROUP BY {keys}
        ) LEFT JOIN bounds USING ({keys}) GROUP BY {keys}
    )"""
