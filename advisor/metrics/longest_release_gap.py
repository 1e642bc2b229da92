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
    WITH histories AS (
        SELECT repository, count(*) AS n, list(DISTINCT source) AS sources,
               min(released_on) AS first_day, max(released_on) AS last_day,
               max(released_on) FILTER (released_on <= $as_of - CAST($window_days AS INTEGER)) AS previous,
               list(DISTINCT released_on) FILTER (released_on > $as_of - CAST($window_days AS INTEGER)) AS recent
        FROM versions GROUP BY repository
    ), days AS (
        SELECT *, list_sort([d FOR d IN list_concat([previous, $as_of], recent) IF d IS NOT NULL]) AS days
        FROM histories
    )
    SELECT repository, list_max([date_diff('day', days[i], days[i + 1]) FOR i IN range(1, len(days))]) AS value,
           value AS low, value AS high, n, 1.0 AS evidence_share, sources, first_day, last_day, NULL AS reason
    FROM days
    """,
    needs=("releases", "package_releases"),
    window_days=730,
)
