"""The people of a repository: the days of their first and last commit."""

PEOPLE = """WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )"""
PEOPLE_OF_TWO_YEARS = """WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source,
               bool_or(day > $as_of - 2 * CAST($window_days AS INTEGER)
                       AND day <= $as_of - CAST($window_days AS INTEGER)) AS was_active
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )"""
"""The same, and whether they made a commit in the year before the last year."""
