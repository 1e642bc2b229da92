"""Model families."""

from advisor.model import Metric

METRIC = Metric(
    name="model_families",
    title="Model families",
    definition=(
        "Number of the followed model families that the library supports; n is the number of "
        "followed families that were public."
    ),
    unit="families",
    direction="more",
    sql="""
    SELECT repository, count(supported_on) AS value, value AS low, value AS high, count(*) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(family_released_on) AS first_day,
           coalesce(max(supported_on), max(family_released_on)) AS last_day, NULL AS reason
    FROM model_support GROUP BY repository
    """,
    needs=("model_support",),
)
