"""Share of the public API with a docstring."""

from advisor.metrics.shared.documentation import latest_ratio_sql
from advisor.model import Metric

METRIC = Metric(
    name="docstring_share",
    title="Share of the public API with a docstring",
    label="documented public functions and classes",
    definition=(
        "Share of the public functions, classes and methods of the library's Python packages that have a "
        "docstring. A name is public if no part of it starts with an underscore. Counted in the source tree at "
        "the end of the last 91 days; n is the number of names. Other languages than Python are not read."
    ),
    unit="share",
    direction="more",
    sql=latest_ratio_sql("api_docstrings", "api_symbols", "no Python package with a public API in its tree"),
    needs=("counts",),
)
