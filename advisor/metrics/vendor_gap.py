"""Vendor gap."""

from advisor.metrics.shared.survival import WITHIN_DAYS, support_spans
from advisor.model import Metric

METRIC = Metric(
    name="vendor_gap",
    title="Vendor gap",
    definition=(
        "Share of the backer's own model families that the library names or shows within 90 days of their "
        "weights, minus the same share of other vendors' families, in percentage points. A family counts if it is "
        "newer than the library, 90 days have passed, and the library was at work: people made at least a "
        "fifth of its usual number of commits in these 90 days. Interval: Newcombe 1998, 95 %. Not applicable if "
        "the backer does not publish models, or if one side has no family."
    ),
    unit="percentage points",
    direction="less",
    sql=f"""
    WITH {support_spans("family_support")},
    sided AS (
        SELECT s.repository, family, family_released_on AS released, backer_vendor, sources, c.day AS born,
               CASE WHEN vendor = backer_vendor THEN 1 ELSE 0 END AS is_own,
               CASE WHEN supported_on IS NOT NULL AND days <= {WITHIN_DAYS} THEN 1 ELSE 0 END AS is_timely
        FROM family_spans AS s JOIN first_commits AS c ON s.repository = c.repository
             JOIN backers ON lower(split_part(s.repository, '/', 1)) = owner
        WHERE date_diff('day', family_released_on, known_until) >= {WITHIN_DAYS}
    ),
    daily_commits AS (
        SELECT repository, day, sum(commits) AS commits FROM contributions
        WHERE NOT is_bot AND repository IN (SELECT repository FROM family_support) GROUP BY repository, day
    ),
    pace AS (
        SELECT s.repository, s.family, any_value(s.backer_vendor) AS backer_vendor, any_value(s.sources) AS sources,
               any_value(s.is_own) AS is_own, any_value(s.is_timely) AS is_timely, any_value(s.released) AS released,
               sum(CASE WHEN date_diff('day', s.released, c.day) BETWEEN 1 AND {WITHIN_DAYS} THEN commits ELSE 0 END) AS later,
               sum(CASE WHEN c.day <= s.released THEN commits ELSE 0 END)
                   / greatest(any_value(date_diff('day', s.born, s.released)), {WITHIN_DAYS}) * {WITHIN_DAYS} AS usual
        FROM sided AS s JOIN daily_commits AS c ON s.repository = c.repository
        GROUP BY s.repository, s.family
    ),
    sides AS (
        SELECT repository, any_value(backer_vendor) AS backer_vendor, min(released) AS first_day, max(released) AS last_day,
               list_distinct(flatten(list(sources))) AS sources,
               sum(is_own)::DOUBLE AS own_n, sum(is_own * is_timely)::DOUBLE AS own,
               sum(1 - is_own)::DOUBLE AS other_n, sum((1 - is_own) * is_timely)::DOUBLE AS other
        FROM pace WHERE later >= usual / 5 GROUP BY repository
    ),
    bounds AS ( -- Wilson
        SELECT *, own / nullif(own_n, 0) AS p, other / nullif(other_n, 0) AS q,
               (own + 1.9207 - 1.96 * sqrt(own * (own_n - own) / nullif(own_n, 0) + 0.9604)) / (own_n + 3.8416) AS p_low,
               (own + 1.9207 + 1.96 * sqrt(own * (own_n - own) / nullif(own_n, 0) + 0.9604)) / (own_n + 3.8416) AS p_high,
               (other + 1.9207 - 1.96 * sqrt(other * (other_n - other) / nullif(other_n, 0) + 0.9604)) / (other_n + 3.8416) AS q_low,
               (other + 1.9207 + 1.96 * sqrt(other * (other_n - other) / nullif(other_n, 0) + 0.9604)) / (other_n + 3.8416) AS q_high
        FROM sides
    )
    SELECT repository, CASE WHEN backer_vendor IS NOT NULL THEN 100 * (p - q) END AS value,
           CASE WHEN backer_vendor IS NOT NULL THEN 100 * (p - q - sqrt((p - p_low) * (p - p_low) + (q_high - q) * (q_high - q))) END AS low,
           CASE WHEN backer_vendor IS NOT NULL THEN 100 * (p - q + sqrt((p_high - p) * (p_high - p) + (q - q_low) * (q - q_low))) END AS high,
           (own_n + other_n)::BIGINT AS n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN backer_vendor IS NULL THEN 'its backer publishes no tracked model family'
                WHEN own_n = 0 OR other_n = 0 THEN 'it has no newer model family of the backer, or none of another vendor, to compare'
                ELSE own::BIGINT || ' of ' || own_n::BIGINT || ' families of ' || backer_vendor || ', ' || other::BIGINT || ' of '
                     || other_n::BIGINT || ' of others' END AS reason
    FROM bounds
    """,
    needs=("model_support", "contributions"),
)
