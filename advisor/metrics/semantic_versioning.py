"""Compatible minor and patch releases."""

from advisor.metrics.shared.public_api import RELEASES
from advisor.model import Metric

METRIC = Metric(
    name="semantic_versioning",
    title="Honest version numbers",
    definition=(
        "Share of the minor and patch releases of the last three years that broke no public name, as semantic "
        "versioning promises (semver.org 2.0.0). Before version 1.0 the second number is free to break. Versions that "
        "are dates promise nothing. A change that only other code would notice is not seen, so the share is an upper "
        "bound."
    ),
    unit="share",
    direction="more",
    sql=f"""
    WITH {RELEASES},
    promises AS (SELECT * FROM recent_releases WHERE is_known AND step IN ('minor', 'patch'))
    SELECT l.repository, count(*) FILTER (broken = 0) / nullif(count(broken), 0)::DOUBLE AS value,
           value AS low, value AS high, count(broken) AS n,
           CASE WHEN any_value(known_releases) = 0 THEN 0.0 ELSE 1.0 END AS evidence_share,
           any_value(sources) AS sources, min(released_on) AS first_day, max(released_on) AS last_day,
           CASE WHEN any_value(known_releases) = 0 THEN any_value(l.reason)
                WHEN count(broken) > 0 THEN NULL
                WHEN any_value(steps) = 0 THEN 'its versions are dates'
                ELSE 'no minor or patch release in the last three years' END AS reason
    FROM libraries AS l LEFT JOIN promises AS p ON l.repository = p.repository
    GROUP BY l.repository
    """,
    needs=("api_releases", "api_changes"),
    window_days=1095,
)
