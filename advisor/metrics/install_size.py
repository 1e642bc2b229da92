"""Size of an install."""

from advisor.metrics.shared.installs import lock_sql
from advisor.model import Metric

METRIC = Metric(
    name="install_size",
    title="Size of an install",
    label="size of an install",
    definition=(
        "Download size of all packages that an install of the newest version brings, in MiB (1,048,576 bytes), by the "
        "package index. Unpacked, they take more."
    ),
    unit="MiB",
    direction="less",
    sql=lock_sql(
        "sum(size_bytes) / 1048576.0",
        "sum(size_bytes) / 1048576.0",
        "sum(size_bytes) / 1048576.0",
        "size_bytes IS NULL",
        "'the package index states no sizes'",
    ),
    needs=("installs",),
    window_days=400,
)
