"""SQL of the public API over the releases."""

RELEASES = """
    broken_names AS (
        SELECT repository, version, count(DISTINCT name) AS broken FROM api_changes WHERE NOT is_alias
        GROUP BY repository, version
    ),
    recent_releases AS (
        SELECT r.repository, r.released_on, r.step, r.reason, coalesce(b.broken, 0) AS broken,
               r.reason IS NULL AS is_known
        FROM api_releases AS r
        LEFT JOIN broken_names AS b ON b.repository = r.repository AND b.version = r.version
        WHERE r.step IS DISTINCT FROM 'first' AND r.released_on > $as_of - CAST($window_days AS INTEGER)
    ),
    libraries AS (
        SELECT repository, list(DISTINCT source) AS sources, max(reason) AS reason,
               count(names) AS known_releases, count(step) AS steps
        FROM api_releases GROUP BY repository
    )"""
"""Common table expressions: the releases of the window after the first one, each with the number of names that
it broke, and what all releases of a library say."""
