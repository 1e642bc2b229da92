"""Truck factor."""

from advisor.model import Metric

METRIC = Metric(
    name="truck_factor",
    title="Truck factor",
    definition=(
        "Smallest number of people whose departure would leave half of the source files without an author "
        "(Avelino et al. 2016). The value is the latest computed one; values older than 120 days do not "
        "count. Not applicable with fewer than ten commits in the last year."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH recent_commits AS (
        SELECT repository, sum(commits) AS total FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot GROUP BY repository
    ),
    latest AS (
        SELECT * FROM recent_counts WHERE metric = 'truck_factor' AND day > $as_of - 120
        QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    )
    SELECT l.repository, CASE WHEN coalesce(total, 0) >= 10 THEN l.value END AS value,
           CASE WHEN coalesce(total, 0) >= 10 THEN l.value END AS low,
           CASE WHEN coalesce(total, 0) >= 10 THEN l.value END AS high,
           coalesce(total, 0) AS n, 1.0 AS evidence_share, [source] AS sources, day AS first_day, day AS last_day,
           CASE WHEN coalesce(total, 0) < 10 THEN 'only ' || coalesce(total, 0) || ' commits in the last year: too few to measure concentration' END AS reason
    FROM latest AS l LEFT JOIN recent_commits AS a ON l.repository = a.repository
    """,
    needs=("counts", "contributions"),
    window_days=365,
)
