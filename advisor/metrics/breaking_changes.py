"""Breaking changes per release."""

from advisor.metrics.shared.public_api import RELEASES
from advisor.model import Metric

METRIC = Metric(
    name="breaking_changes",
    title="Breaking changes per release",
    definition=(
        "Mean number of public names that a release of the last two years removed or changed incompatibly: a class "
        "counts once, however many of its members changed. griffe compares the Python source of each final release "
        "with that of the one before; releases of older series do not count. Public is what has no leading "
        "underscore, or is in __all__. Other defaults, annotations and behaviour are not seen."
    ),
    unit="names",
    direction="less",
    sql=f"""
    WITH {RELEASES}
    SELECT l.repository, avg(broken) FILTER (is_known) AS value, value AS low, value AS high,
           count(*) FILTER (is_known) AS n, CASE WHEN any_value(known_releases) = 0 THEN 0.0 ELSE 1.0 END AS evidence_share,
           any_value(sources) AS sources, min(released_on) AS first_day, max(released_on) AS last_day,
           CASE WHEN any_value(known_releases) = 0 THEN any_value(l.reason)
                WHEN count(*) FILTER (is_known) = 0 THEN 'no release in the last two years that follows another one'
           END AS reason
    FROM libraries AS l LEFT JOIN recent_releases AS r ON l.repository = r.repository
    GROUP BY l.repository
    """,
    needs=("api_releases", "api_changes"),
    window_days=730,
)
