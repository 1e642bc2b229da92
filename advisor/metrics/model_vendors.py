"""Model vendors."""

from advisor.model import Metric

METRIC = Metric(
    name="model_vendors",
    title="Model vendors",
    definition=("Number of different vendors of the model families that the library supports."),
    unit="vendors",
    direction="more",
    sql="""
    SELECT repository, count(DISTINCT vendor) FILTER (is_supported) AS value, value AS low, value AS high, count(*) AS n,
           1.0 AS evidence_share, list_distinct(flatten(list(sources))) AS sources, min(family_released_on) AS first_day,
           max(coalesce(supported_on, family_released_on)) AS last_day, NULL AS reason
    FROM family_support GROUP BY repository
    """,
    needs=("model_support",),
)
