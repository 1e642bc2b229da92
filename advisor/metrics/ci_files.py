"""Files of continuous integration."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="ci_files",
    title="Files of continuous integration",
    definition=(
        "Number of files that define continuous integration, for example workflows of GitHub Actions "
        "(data/practices.toml). Counted at the end of the last 91 days and at the last commit."
    ),
    unit="files",
    direction="more",
    sql=latest_total_sql("ci_files", window=False),
    needs=("counts",),
)
