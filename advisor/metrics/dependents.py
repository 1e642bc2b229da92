"""Dependents."""

from advisor.model import Metric

METRIC = Metric(
    name="dependents",
    title="Dependents",
    definition=(
        "Packages that need the library, by a package index: the latest dated total. Totals older than 400 days "
        "do not count. Public lists count repositories too."
    ),
    unit="projects",
    direction="more",
    sql="""
    SELECT repository, value, coalesce(low, value) AS low, coalesce(high, value) AS high, 1 AS n,
           1.0 AS evidence_share, [source] AS sources, day AS first_day, day AS last_day, NULL AS reason
    FROM recent_counts WHERE metric = 'dependents' AND day > $as_of - CAST($window_days AS INTEGER)
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    """,
    needs=("counts",),
    window_days=400,
)
