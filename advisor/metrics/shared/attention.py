"""Attention and substance of a library as places in a reference population, in SQL."""

from __future__ import annotations

# Figure → the side that it speaks for. Stars are given by onlookers; downloads, contributors, closed issues
# and change requests come of use and work.
SIDES = {
    "stars": "attention",
    "stars_gained": "attention",
    "downloads_30d": "substance",
    "contributors_ever": "substance",
    "closed_issues": "substance",
    "change_requests": "substance",
}
_SIDE = "CASE f.figure " + " ".join(f"WHEN '{f}' THEN '{s}'" for f, s in SIDES.items()) + " END"

# repository, figure, side, place (0 to 100: per cent of the population at or below), source, day.
PLACED = f"""
    WITH dated AS (
        SELECT * FROM recent_counts
        WHERE day > $as_of - 400 AND metric IN ('stars', 'downloads_30d', 'closed_issues')
        QUALIFY row_number() OVER (PARTITION BY repository, metric ORDER BY day DESC, source) = 1
    ),
    gained AS (
        SELECT l.repository, (l.value - p.value) * 365 / date_diff('day', p.day, l.day) AS value,
               l.source, l.day
        FROM dated AS l JOIN recent_counts AS p ON p.repository = l.repository AND p.metric = 'stars'
             AND l.metric = 'stars' AND date_diff('day', p.day, l.day) BETWEEN 245 AND 485
        QUALIFY row_number() OVER (PARTITION BY l.repository
                ORDER BY abs(date_diff('day', p.day, l.day) - 365), p.day, p.source) = 1
    ),
    figures AS (
        SELECT repository, metric AS figure, value, source, day FROM dated
        UNION ALL SELECT repository, 'stars_gained', value, source, day FROM gained
        UNION ALL SELECT repository, 'contributors_ever', count(DISTINCT author), min(source), max(day)
            FROM contributions WHERE NOT is_bot GROUP BY repository
        UNION ALL SELECT repository, 'change_requests', count(*), min(source), max(opened_at)::DATE
            FROM threads WHERE kind = 'change_request' GROUP BY repository
    )
    SELECT f.repository, f.figure, {_SIDE} AS side, greatest(0, count(r.value) - 1) AS place,
           min(f.source) AS source, max(f.day) AS day
    FROM figures AS f LEFT JOIN population AS r ON r.figure = f.figure AND r.value <= f.value
    WHERE f.figure IN (SELECT figure FROM population)
    GROUP BY f.repository, f.figure"""


def mean_place(side: str, least: int) -> str:
    """SQL of a metric that is the mean place of one side's figures, from 0 to 1.

    Args:
        side: ``attention`` or ``substance``.
        least: how many of its figures must be known.
    """
    of = sum(s == side for s in SIDES.values())
    known = f"CASE WHEN count(*) >= {least} THEN"
    return f"""
    SELECT repository, {known} sum(place) / count(*) / 100.0 END AS value,
           {known} min(place) / 100.0 END AS low, {known} max(place) / 100.0 END AS high,
           count(*) AS n, count(*) / {of}.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) < {least} THEN 'only ' || count(*) || ' of {of} figures are known' END AS reason
    FROM placed WHERE side = '{side}' GROUP BY repository
    """
