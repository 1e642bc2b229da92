"""Operating systems."""

from advisor.metrics.shared.installs import INSTALLS
from advisor.model import Metric

METRIC = Metric(
    name="supported_systems",
    title="Operating systems",
    label="systems that install it from wheels",
    definition=(
        "Number of Linux, macOS and Windows on which the newest version and all that it requires install from wheels "
        "alone, without a compiler."
    ),
    unit="systems",
    direction="more",
    sql=f"""
    WITH {INSTALLS}
    SELECT repository, max(len(string_split(systems, ' ')) * (systems <> '')::INTEGER) AS value, value AS low, value AS high, count(part) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
           NULL AS reason
    FROM lock WHERE version <> '' GROUP BY repository
    """,
    needs=("installs",),
    window_days=400,
)
