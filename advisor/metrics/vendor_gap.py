"""Vendor gap."""

from advisor.metrics.shared.survival import medians, support_spans
from advisor.model import Metric

METRIC = Metric(
    name="vendor_gap",
    title="Vendor gap",
    definition=(
        "Days to support of other vendors' model families minus the days to support of the backer's own "
        "families: the difference of two Kaplan–Meier medians, for families that are newer than the library. "
        "The interval combines the opposite 95 % bounds of both medians. Not applicable if the backer does "
        "not publish models, or if fewer than half of the families on one side were ever supported."
    ),
    unit="days",
    direction="less",
    sql=f"""
    WITH {support_spans("family_support")},
    spans AS (
        SELECT repository, vendor = backer_vendor AS is_own, days, is_event
        FROM family_spans JOIN backers ON lower(split_part(repository, '/', 1)) = owner
        WHERE backer_vendor IS NOT NULL
    ),
    {medians("repository, is_own")},
    provenance AS (
        SELECT repository, any_value(backer_vendor) AS backer_vendor, list_distinct(flatten(list(sources))) AS sources,
               min(family_released_on) AS first_day, max(family_released_on) AS last_day
        FROM family_spans JOIN backers ON lower(split_part(repository, '/', 1)) = owner GROUP BY repository
    ),
    sides AS (
        SELECT a.repository, backer_vendor, sources, first_day, last_day,
               o.median AS own, o.low AS own_low, coalesce(o.high, o.longest) AS own_high, o.n AS own_n, o.events AS own_events,
               t.median AS other, t.low AS other_low, coalesce(t.high, t.longest) AS other_high, t.n AS other_n, t.events AS other_events
        FROM provenance AS a LEFT JOIN medians AS o ON o.repository = a.repository AND o.is_own
             LEFT JOIN medians AS t ON t.repository = a.repository AND NOT t.is_own
    )
    SELECT repository, other - own AS value,
           CASE WHEN other - own IS NOT NULL THEN other_low - own_high END AS low,
           CASE WHEN other - own IS NOT NULL THEN other_high - own_low END AS high,
           coalesce(own_n, 0) + coalesce(other_n, 0) AS n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN backer_vendor IS NULL THEN 'its backer publishes no tracked model family'
                WHEN own_n IS NULL OR other_n IS NULL THEN 'it has no newer model family of the backer, or none of another vendor, to compare'
                WHEN other - own IS NULL THEN 'fewer than half of the families on one side were ever supported: own ' || own_events
                     || ' of ' || own_n || ', others ' || other_events || ' of ' || other_n END AS reason
    FROM sides
    """,
    needs=("model_support", "contributions"),
)
