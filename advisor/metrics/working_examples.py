"""Share of examples that work."""

from advisor.metrics.shared.documentation import latest_ratio_sql
from advisor.model import Metric

METRIC = Metric(
    name="working_examples",
    title="Share of examples that can work",
    label="examples that can work",
    definition=(
        "Share of the example files (Python and notebooks) that import the library, parse, and import only names "
        "that the library has. A file of Python that does not parse counts as broken; nothing runs. Counted in "
        "the source tree at the end of the last 91 days; n is the number of examples."
    ),
    unit="share",
    direction="more",
    sql=latest_ratio_sql(
        "working_code_examples", "code_examples", "no example in its tree imports the library"
    ),
    needs=("counts",),
)
