"""Hype gap."""

from advisor.model import Metric

METRIC = Metric(
    name="hype_gap",
    title="Hype gap",
    definition=(
        "Attention minus substance, in percentiles of a reference population of libraries: the mean "
        "percentile of stars and of stars gained in a year, minus the mean percentile of downloads, "
        "contributors, closed issues and change requests. Above 0: the library gets more attention than use "
        "and work. Interval: the range of the gap if any one figure is left out. Needs one figure of "
        "attention and two of substance."
    ),
    unit="percentiles",
    direction="neither",
    sql="""
    WITH sides AS (
        SELECT repository, count(*) FILTER (side = 'attention') AS a_n, sum(place) FILTER (side = 'attention') AS a,
               count(*) FILTER (side = 'substance') AS s_n, sum(place) FILTER (side = 'substance') AS s,
               list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day
        FROM figure_places GROUP BY repository
    ),
    leave_one_out AS (
        SELECT p.repository,
               CASE WHEN side = 'attention' AND a_n > 1 THEN (a - place) / (a_n - 1) - s / s_n
                    WHEN side = 'substance' AND s_n > 1 THEN a / a_n - (s - place) / (s_n - 1) END AS gap
        FROM figure_places AS p JOIN sides AS t ON p.repository = t.repository WHERE a_n >= 1 AND s_n >= 2
    ),
    range AS (SELECT repository, min(gap) AS low, max(gap) AS high FROM leave_one_out GROUP BY repository)
    SELECT t.repository, CASE WHEN a_n >= 1 AND s_n >= 2 THEN a / a_n - s / s_n END AS value,
           CASE WHEN a_n >= 1 AND s_n >= 2 THEN least(low, a / a_n - s / s_n) END AS low,
           CASE WHEN a_n >= 1 AND s_n >= 2 THEN greatest(high, a / a_n - s / s_n) END AS high,
           a_n + s_n AS n, (a_n + s_n) / 6.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN a_n < 1 OR s_n < 2 THEN 'too few figures are known: ' || a_n || ' of 2 for attention, ' || s_n || ' of 4 for substance' END AS reason
    FROM sides AS t LEFT JOIN range AS r ON t.repository = r.repository
    """,
    needs=("counts", "contributions", "threads"),
    window_days=365,
)
