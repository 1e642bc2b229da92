"""Growth of downloads."""

from advisor.metrics.shared.growth import growth_sql
from advisor.model import Metric

METRIC = Metric(
    name="downloads_growth",
    title="Growth of downloads",
    definition=(
        "Relative growth of the 30-day downloads in a year: the latest dated total compared with the total "
        "closest to one year earlier."
    ),
    unit="share",
    direction="more",
    sql=growth_sql("downloads_30d"),
    needs=("counts",),
    window_days=365,
)
