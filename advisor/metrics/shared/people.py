"""The people of a repository: the days of their first and last commit."""

PEOPLE = """WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )"""
