"""Number of downloads."""

from advisor.model import Metric

METRIC = Metric(
    name="downloads",
    title="Number of downloads",
    label="downloads in 30 days",
    definition=(
        "Downloads from the package index in 30 days, including mirrors and automated downloads. The value is "
        "the latest dated total; totals older than 400 days do not count."
    ),
    unit="downloads in 30 days",
    direction="more",
    sql="""
    SELECT repository, value, coalesce(low, value) AS low, coalesce(high, value) AS high, 1 AS n,
           1.0 AS evidence_share, [source] AS sources, day AS first_day, day AS last_day, NULL AS reason
    FROM recent_counts WHERE metric = 'downloads_30d' AND day > $as_of - CAST($window_days AS INTEGER)
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC, source) = 1
    """,
    needs=("counts",),
    window_days=400,
    chaoss=4466,
)
