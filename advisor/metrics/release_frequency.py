"""Release frequency."""

from advisor.model import Metric

METRIC = Metric(
    name="release_frequency",
    title="Release frequency",
    definition=(
        "Number of days of the last year with a final release. The versions of a package index count where they "
        "were collected; otherwise version tags and GitHub releases. A day counts once, so that a repository "
        "with many packages does not seem to release more often. If tags and versions give different numbers, "
        "the reason names both."
    ),
    unit="releases",
    direction="more",
    sql="""
    WITH days AS (
        SELECT repository,
               count(DISTINCT CASE WHEN NOT is_prerelease AND released_on > $as_of - CAST($window_days AS INTEGER) THEN released_on END) AS value,
               count(*) AS n, list(DISTINCT source) AS sources, min(released_on) AS first_day, max(released_on) AS last_day
        FROM versions GROUP BY repository
    ),
    tag_days AS (
        SELECT repository, count(DISTINCT released_on) AS tag_value FROM releases
        WHERE NOT is_prerelease AND released_on > $as_of - CAST($window_days AS INTEGER) GROUP BY repository
    )
    SELECT d.repository, value, value AS low, value AS high, n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN coalesce(tag_value, 0) <> value THEN 'versions of the package index: ' || value || ' days; tags: ' || coalesce(tag_value, 0) || ' days' END AS reason
    FROM days AS d LEFT JOIN tag_days AS t ON d.repository = t.repository
    """,
    needs=("releases", "package_releases"),
    window_days=365,
    chaoss=4765,
)
