"""Kinds of governance files."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="governance_files",
    title="Kinds of governance files",
    definition=(
        "How many of these the repository has: governance, maintainers or owners, code of conduct, "
        "contributing, security and support (data/practices.toml). Files that the owner has for all "
        "repositories are not seen. Counted at the end of the last 91 days and at the last commit."
    ),
    unit="kinds of files",
    direction="more",
    sql=latest_total_sql("governance_files", window=False),
    needs=("counts",),
)
