"""Share of the backer's own models."""

from advisor.model import Metric

METRIC = Metric(
    name="own_model_share",
    title="Share of the backer's own models",
    definition=(
        "Share of the supported model families that the library's backer publishes itself. Interval: Wilson, "
        "95 %. Not applicable if the backer does not publish a tracked model family."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH support_counts AS (
        SELECT repository, any_value(backer_vendor) AS backer_vendor,
               count(*) FILTER (is_supported) AS n,
               count(*) FILTER (is_supported AND vendor = backer_vendor)::DOUBLE AS own,
               list_distinct(flatten(list(sources))) AS sources, min(family_released_on) AS first_day,
               max(coalesce(supported_on, family_released_on)) AS last_day
        FROM family_support JOIN backers ON lower(split_part(repository, '/', 1)) = owner GROUP BY repository
    )
    SELECT repository, CASE WHEN backer_vendor IS NOT NULL AND n > 0 THEN own / n END AS value,
           CASE WHEN backer_vendor IS NOT NULL AND n > 0 THEN greatest(0, least(own / n,
               (own + 1.9207 - 1.96 * sqrt(own * (n - own) / n + 0.9604)) / (n + 3.8416))) END AS low,
           CASE WHEN backer_vendor IS NOT NULL AND n > 0 THEN least(1, greatest(own / n,
               (own + 1.9207 + 1.96 * sqrt(own * (n - own) / n + 0.9604)) / (n + 3.8416))) END AS high,
           n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN backer_vendor IS NULL THEN 'its backer publishes no tracked model family'
                WHEN n = 0 THEN 'it supports no tracked model family' END AS reason
    FROM support_counts
    """,
    needs=("model_support",),
)
