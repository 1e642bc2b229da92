"""Licences with conditions."""

from advisor.metrics.shared.installs import lock_sql
from advisor.model import Metric

METRIC = Metric(
    name="install_conditions",
    title="Licences with conditions",
    label="packages with a licence that has conditions",
    definition=(
        "Number of packages that an install of the newest version brings whose licence is not permissive: copyleft, or "
        "restricted as a proprietary one. The licence is what the metadata of the package states. The upper bound "
        "counts packages whose licence is unknown."
    ),
    unit="packages",
    direction="less",
    sql=lock_sql(
        "count(*) FILTER (licence_kind <> 'permissive')",
        "count(*) FILTER (licence_kind <> 'permissive')",
        "count(*) FILTER (part IS NOT NULL AND licence_kind IS DISTINCT FROM 'permissive')",
        "licence_kind IS NULL",
        "'no licence of the packages is known'",
    ),
    needs=("installs",),
    window_days=400,
)
