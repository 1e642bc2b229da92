"""Growth of stars."""

from advisor.model import Metric

METRIC = Metric(
    name="stars_growth",
    title="Growth of stars",
    definition=(
        "Relative growth of stars in a year, from the last dated total and the one nearest to "
        "a year before it."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH latest AS (
        SELECT * FROM counts WHERE metric = 'stars' AND value > 0 AND day > $as_of - 400
        QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    ),
    pairs AS (
        SELECT l.repository, l.value AS now, p.value AS past, l.day - p.day AS apart,
               list_distinct([l.source, p.source]) AS sources, p.day AS first_day, l.day AS last_day
        FROM latest AS l JOIN counts AS p ON p.repository = l.repository AND p.metric = 'stars'
             AND p.value > 0 AND l.day - p.day BETWEEN 245 AND 485
        QUALIFY row_number() OVER (PARTITION BY l.repository
                                   ORDER BY abs(l.day - p.day - CAST($window_days AS INTEGER)), p.day, p.source) = 1
    )
    SELECT repository, exp(ln(now / past) * CAST($window_days AS INTEGER) / apart) - 1 AS value,
           value AS low, value AS high, 2 AS n, 1.0 AS evidence_share, sources, first_day, last_day,
           NULL AS reason
    FROM pairs
    """,
    needs=("counts",),
    window_days=365,
)
