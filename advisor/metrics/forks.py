"""Forks."""

from advisor.model import Metric

METRIC = Metric(
    name="forks",
    title="Forks",
    definition=("Forks of the repository: the latest dated total. Totals older than 400 days do not count."),
    unit="forks",
    direction="more",
    sql="""
    SELECT repository, value, coalesce(low, value) AS low, coalesce(high, value) AS high, 1 AS n,
           1.0 AS evidence_share, [source] AS sources, day AS first_day, day AS last_day, NULL AS reason
    FROM recent_counts WHERE metric = 'forks' AND day > $as_of - CAST($window_days AS INTEGER)
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    """,
    needs=("counts",),
    window_days=400,
    chaoss=3431,
)
