"""SQL about change requests that may have been merged by hand, where nothing shows it."""

# A tenth: of the projects whose merges GitHub or git shows, hardly one merges fewer (see docs/explanation/limits.md).
VISIBLE_SQL = """
    visibility AS (
        SELECT repository, merged, possible, rejected, possible > merged OR 10 * merged < rejected AS is_hidden,
               CASE WHEN possible > merged THEN 'of its change requests ' || merged || ' were merged visibly, and up to ' || possible || ' more by hand: the share of merged ones is unknown'
                    WHEN 10 * merged < rejected THEN 'only ' || merged || ' of its change requests were merged on GitHub and ' || rejected || ' were closed: it may merge by hand' END AS hidden_reason
        FROM (
            SELECT repository, count(merged_at) AS merged,
                   count(CASE WHEN merged_at IS NULL THEN possibly_merged_at END) AS possible,
                   count(CASE WHEN merged_at IS NULL AND source NOT LIKE 'git:%' THEN closed_at END) AS rejected
            FROM recent_threads WHERE kind = 'change_request' GROUP BY repository
        ) AS totals
    )"""
"""Common table expression ``visibility``: of the last year's change requests those that are merged, possibly merged,
and closed on GitHub without a merge; ``is_hidden``: too many may have been merged by hand, with the reason."""
