"""Python versions."""

from advisor.metrics.shared.installs import INSTALLS
from advisor.model import Metric

METRIC = Metric(
    name="supported_pythons",
    title="Python versions",
    label="Python versions that install it from wheels",
    definition=(
        "Number of the Python versions maintained on that day (devguide.python.org) for which the newest version and all "
        "that it requires install on Linux from wheels alone, without a compiler."
    ),
    unit="Python versions",
    direction="more",
    sql=f"""
    WITH {INSTALLS}
    SELECT repository, max(len(string_split(pythons, ' ')) * (pythons <> '')::INTEGER) AS value, value AS low, value AS high, count(part) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
           NULL AS reason
    FROM lock WHERE version <> '' GROUP BY repository
    """,
    needs=("installs",),
    window_days=400,
)
