"""Share of the imports of two years ago that still work."""

from advisor.model import Metric

METRIC = Metric(
    name="api_retention",
    title="Imports of two years ago that still work",
    definition=(
        "Share of the public names that could be imported from the library two years ago, by every path, and still "
        "can be. A name that gives only a warning counts. Signatures and behaviour may differ."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH names AS (
        SELECT repository, name, bool_or(removed_on IS NULL) AS is_there, min(source) AS source,
               bool_or(added_on <= $as_of - CAST($window_days AS INTEGER)
                       AND (removed_on IS NULL OR removed_on > $as_of - CAST($window_days AS INTEGER))) AS was_there,
               min(added_on) AS first_day, max(coalesce(removed_on, added_on)) AS last_day
        FROM api_names WHERE kind <> 'module' GROUP BY repository, name
    )
    SELECT repository,
           count(*) FILTER (was_there AND is_there) / nullif(count(*) FILTER (was_there), 0)::DOUBLE AS value,
           value AS low, value AS high, count(*) FILTER (was_there) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(first_day) AS first_day, max(last_day) AS last_day,
           CASE WHEN count(*) FILTER (was_there) = 0 THEN 'it had no release two years ago' END AS reason
    FROM names GROUP BY repository
    """,
    needs=("api_names",),
    window_days=730,
)
