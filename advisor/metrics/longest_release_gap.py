"""Longest release gap."""

from advisor.model import Metric

METRIC = Metric(
    name="longest_release_gap",
    title="Longest release gap",
    definition=(
        "Longest time without a release of any kind that ended in the last two years or has not ended yet. The "
        "versions of a package index count where they were collected; otherwise version tags and GitHub releases."
    ),
    unit="days",
    direction="less",
    sql="""
    WITH steps AS (
        SELECT repository, released_on, source,
               coalesce(lead(released_on) OVER (PARTITION BY repository ORDER BY released_on), $as_of) AS next
        FROM versions
    )
    SELECT repository, max(date_diff('day', released_on, next)) FILTER (next > $as_of - CAST($window_days AS INTEGER)) AS value,
           value AS low, value AS high, count(*) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(released_on) AS first_day, max(released_on) AS last_day,
           NULL AS reason
    FROM steps GROUP BY repository
    """,
    needs=("releases", "package_releases"),
    window_days=730,
)
