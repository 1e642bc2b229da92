"""Effective vendors."""

from advisor.model import Metric

METRIC = Metric(
    name="effective_vendors",
    title="Effective vendors",
    definition=(
        "How evenly the supported model families are spread over their vendors: the number of equally served "
        "vendors that gives the same spread (exponential of the Shannon entropy, Hill number of order 1; Jost "
        "2006). For example, six families of one vendor and one of another give 1.5, not 2."
    ),
    unit="vendors",
    direction="more",
    sql="""
    WITH by_vendor AS (
        SELECT repository, vendor, count(*)::DOUBLE AS family_count FROM family_support WHERE is_supported GROUP BY repository, vendor
    ),
    spread AS (
        SELECT repository, exp(ln(sum(family_count)) - sum(family_count * ln(family_count)) / sum(family_count)) AS value FROM by_vendor GROUP BY repository
    ),
    provenance AS (
        SELECT repository, count(*) FILTER (is_supported) AS n, list_distinct(flatten(list(sources))) AS sources,
               min(family_released_on) AS first_day, max(coalesce(supported_on, family_released_on)) AS last_day
        FROM family_support GROUP BY repository
    )
    SELECT a.repository, value, value AS low, value AS high, n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN value IS NULL THEN 'it supports no tracked model family' END AS reason
    FROM provenance AS a LEFT JOIN spread AS s ON a.repository = s.repository
    """,
    needs=("model_support",),
)
