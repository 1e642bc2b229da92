"""Contributors without the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="contributors_without_backer",
    title="Contributors without the backer",
    definition=(
        "People who would be left if the backer walked away: contributors of the window who are not known "
        "to be the backer's. Low end: those known to belong to another organisation. A person is the "
        "organisation's whose address they used last."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, any_value(organisation) AS organisation, bool_or(is_backers) AS is_backers,
               min(source) AS source, bool_or(seen) AS seen, min(day) AS began, max(day) AS day
        FROM affiliated WHERE backer IS NOT NULL GROUP BY repository, author
    )
    SELECT repository, CASE WHEN bool_or(seen) THEN count(*) FILTER (NOT is_backers) END AS value,
           CASE WHEN bool_or(seen) THEN count(*) FILTER (NOT is_backers AND organisation IS NOT NULL) END AS low,
           value AS high, count(*) AS n,
           count(organisation) / count(*)::DOUBLE AS evidence_share, list(DISTINCT source) AS sources,
           min(began) AS first_day, max(day) AS last_day,
           CASE WHEN NOT bool_or(seen) THEN 'nobody in its history is known to be its backer''s' END AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
