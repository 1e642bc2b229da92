"""Test files."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="test_files",
    title="Test files",
    definition=(
        "Number of source files that are tests by the place or name that a test runner looks for "
        "(data/practices.toml). Vendored files do not count. Counted at the end of the last 91 days and at "
        "the last commit."
    ),
    unit="files",
    direction="more",
    sql=latest_total_sql("test_files", window=False),
    needs=("counts",),
)
