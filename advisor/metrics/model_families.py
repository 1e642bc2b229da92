"""Model families."""

from advisor.model import Metric

METRIC = Metric(
    name="model_families",
    title="Model families",
    label="model families named or shown",
    definition=(
        "Number of tracked model families that the library names in its own code, or shows in a test, an "
        "example, a recipe or a page of its own. A family that it only loads, because transformers does, does "
        "not count, and no family whose support was removed. n is the number of tracked families that were "
        "public."
    ),
    unit="families",
    direction="more",
    sql="""
    SELECT repository, count(*) FILTER (is_supported) AS value, value AS low, value AS high, count(*) AS n,
           1.0 AS evidence_share, list_distinct(flatten(list(sources))) AS sources, min(family_released_on) AS first_day,
           max(coalesce(supported_on, family_released_on)) AS last_day, NULL AS reason
    FROM family_support GROUP BY repository
    """,
    needs=("model_support",),
)
