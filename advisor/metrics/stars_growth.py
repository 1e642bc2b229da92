"""Growth of stars."""

from advisor.metrics.shared.growth import in_a_year
from advisor.model import Metric

METRIC = Metric(
    name="stars_growth",
    title="Growth of stars",
    definition=(
        "Relative growth of stars in a year, from the last dated total and the one nearest to "
        "a year before it."
    ),
    unit="share",
    direction="more",
    sql=in_a_year("stars"),
    needs=("counts",),
    window_days=365,
)
