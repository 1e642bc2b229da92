"""Release frequency."""

from advisor.model import Metric

METRIC = Metric(
    name="release_frequency",
    title="Release frequency",
    definition=("Number of final releases (version tags that are not pre-releases) in the last year."),
    unit="releases",
    direction="more",
    sql="""
    SELECT repository,
           count(*) FILTER (NOT is_prerelease AND released_on > $as_of - CAST($window_days AS INTEGER)) AS value,
           value AS low, value AS high, count(*) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(released_on) AS first_day, max(released_on) AS last_day,
           NULL AS reason
    FROM releases GROUP BY repository
    """,
    needs=("releases",),
    window_days=365,
    chaoss=4765,
)
