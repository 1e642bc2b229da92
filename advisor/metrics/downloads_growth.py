"""Growth of downloads."""

from advisor.metrics.shared.growth import in_a_year
from advisor.model import Metric

METRIC = Metric(
    name="downloads_growth",
    title="Growth of downloads",
    definition=(
        "Relative growth of the downloads of 30 days in a year, from the last dated total and "
        "the one nearest to a year before it."
    ),
    unit="share",
    direction="more",
    sql=in_a_year("downloads_30d"),
    needs=("counts",),
    window_days=365,
)
