"""Words of documentation for each public name."""

from advisor.metrics.shared.documentation import latest_ratio_sql
from advisor.model import Metric

METRIC = Metric(
    name="docs_per_symbol",
    title="Words of documentation for each public name",
    label="words of documentation for each public name",
    definition=(
        "Words outside of code in the pages of documentation of the source tree, divided by the number of public "
        "functions, classes and methods of its Python packages. Translations and change logs do not count, and "
        "pages in another repository neither. Counted at the end of the last 91 days."
    ),
    unit="words",
    direction="more",
    sql=latest_ratio_sql(
        "documentation_words", "api_symbols", "no Python package with a public API in its tree"
    ),
    needs=("counts",),
)
