"""SQL of attention and substance: percentiles of a library's figures in a reference population."""

from __future__ import annotations

# Figure → its side. Stars show attention. Downloads, contributors, closed issues and change requests are the
# result of use and work.
SIDES = {
    "stars": "attention",
    "stars_gained": "attention",
    "downloads_30d": "substance",
    "contributors_ever": "substance",
    "closed_issues": "substance",
    "change_requests": "substance",
}
_SIDE = "CASE f.figure " + " ".join(f"WHEN '{f}' THEN '{s}'" for f, s in SIDES.items()) + " END"

# Columns: repository, figure, side, place (0 to 100: per cent of the population at or below), source, day.
PLACES_SQL = f"""
    WITH latest_totals AS (
        SELECT * FROM recent_counts
        WHERE day > $as_of - 400 AND metric IN ('stars', 'downloads_30d', 'closed_issues')
        QUALIFY row_number() OVER (PARTITION BY repository, metric ORDER BY day DESC, source) = 1
    ),
    star_gains AS (
        SELECT l.repository, (l.value - p.value) * 365 / date_diff('day', p.day, l.day) AS value,
               l.source, l.day
        FROM latest_totals AS l JOIN recent_counts AS p ON p.repository = l.repository AND p.metric = 'stars'
             AND l.metric = 'stars' AND date_diff('day', p.day, l.day) BETWEEN 245 AND 485
        QUALIFY row_number() OVER (PARTITION BY l.repository
                ORDER BY abs(date_diff('day', p.day, l.day) - 365), p.day, p.source) = 1
    ),
    figures AS (
        SELECT repository, metric AS figure, value, source, day FROM latest_totals
        UNION ALL SELECT repository, 'stars_gained', value, source, day FROM star_gains
        UNION ALL SELECT repository, 'contributors_ever', count(DISTINCT author), min(source), max(day)
            FROM contributions WHERE NOT is_bot GROUP BY repository
        UNION ALL SELECT repository, 'change_requests', count(*), min(source), max(opened_at)::DATE
            FROM threads WHERE kind = 'change_request' GROUP BY repository
    )
    SELECT f.repository, f.figure, {_SIDE} AS side, greatest(0, count(r.value) - 1) AS place,
           min(f.source) AS source, max(f.day) AS day
    FROM figures AS f LEFT JOIN percentiles AS r ON r.figure = f.figure AND r.value <= f.value
    WHERE f.figure IN (SELECT figure FROM percentiles)
    GROUP BY f.repository, f.figure"""


def mean_place_sql(side: str, minimum: int) -> str:
    """Return the query of a metric: the mean place of one side's figures, from 0 to 1.

    Args:
        side: ``attention`` or ``substance``.
        minimum: number of its figures that must be known.
    """
    figure_count = sum(s == side for s in SIDES.values())
    if_enough = f"CASE WHEN count(*) >= {minimum} THEN"
    return f"""
    SELECT repository, {if_enough} sum(place) / count(*) / 100.0 END AS value,
           {if_enough} min(place) / 100.0 END AS low, {if_enough} max(place) / 100.0 END AS high,
           count(*) AS n, count(*) / {figure_count}.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) < {minimum} THEN
               'only ' || count(*) || ' of {figure_count} figures is known; {minimum} are needed' END AS reason
    FROM figure_places WHERE side = '{side}' GROUP BY repository
    """
