"""Packages of an install."""

from advisor.metrics.shared.installs import lock_sql
from advisor.model import Metric

METRIC = Metric(
    name="install_packages",
    title="Packages of an install",
    label="packages that an install brings",
    definition=(
        "Number of packages that an install of the newest version brings, itself among them: the lock of the package's "
        "own requirements without extras, by uv, for Linux (x86-64) and the newest Python version that it supports."
    ),
    unit="packages",
    direction="less",
    sql=lock_sql("count(part)", "count(part)", "count(part)", "part IS NULL", "NULL"),
    needs=("installs",),
    window_days=400,
)
