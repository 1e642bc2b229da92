"""Funding files."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="funding_files",
    title="Funding files",
    definition=(
        "Number of files that ask for funding, for example .github/FUNDING.yml (data/practices.toml). A file "
        "that the owner has for all repositories is not seen. Counted at the end of the last 91 days and at "
        "the last commit."
    ),
    unit="files",
    direction="neither",
    sql=latest_total_sql("funding_files", window=False),
    needs=("counts",),
)
