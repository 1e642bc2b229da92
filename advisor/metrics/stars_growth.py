"""Growth of stars."""

from advisor.metrics.shared.growth import growth_sql
from advisor.model import Metric

METRIC = Metric(
    name="stars_growth",
    title="Growth of stars",
    definition=(
        "Relative growth of stars in a year: the latest dated total compared with the total closest to one "
        "year earlier."
    ),
    unit="share",
    direction="more",
    sql=growth_sql("stars"),
    needs=("counts",),
    window_days=365,
)
