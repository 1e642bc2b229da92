"""Freshness of the documentation."""

from advisor.metrics.shared.documentation import latest_ratio_sql
from advisor.model import Metric

METRIC = Metric(
    name="docs_freshness",
    title="Freshness of the documentation",
    label="pages that changed since the API did",
    definition=(
        "Of all pairs of a page of documentation and a public name in it, the share in which the page changed in "
        "the 91 days in which the arguments of the name last changed, or later. Only names that are no English "
        "words count (CamelCase, snake_case). n is the number of pairs."
    ),
    unit="share",
    direction="more",
    sql=latest_ratio_sql("fresh_api_mentions", "api_mentions", "no page in its tree mentions a public name"),
    needs=("counts",),
)
