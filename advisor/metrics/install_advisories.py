"""Advisories of an install."""

from advisor.metrics.shared.installs import lock_sql
from advisor.model import Metric

METRIC = Metric(
    name="install_advisories",
    title="Advisories of an install",
    label="open advisories of an install",
    definition=(
        "Number of published security advisories that apply to the versions that an install of the newest version "
        "brings, itself among them, by pip-audit on the day of the lock."
    ),
    unit="advisories",
    direction="less",
    sql=lock_sql(
        "sum(advisories)",
        "sum(advisories)",
        "sum(advisories)",
        "advisories IS NULL",
        "'pip-audit knows none of the packages'",
    ),
    needs=("installs",),
    window_days=400,
)
