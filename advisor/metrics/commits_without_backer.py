"""Commits without the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="commits_without_backer",
    title="Commits without the backer",
    definition=(
        "Commits of the window that would be left if the backer walked away: those of people who are not "
        "known to be the backer's. Low end: those of people known to belong to another organisation."
    ),
    unit="commits",
    direction="more",
    sql="""
    SELECT repository, CASE WHEN bool_or(seen) THEN coalesce(sum(commits) FILTER (NOT is_backers), 0) END AS value,
           CASE WHEN bool_or(seen) THEN coalesce(sum(commits) FILTER (NOT is_backers AND organisation IS NOT NULL), 0) END AS low,
           value AS high,
           sum(commits) AS n, coalesce(sum(commits) FILTER (organisation IS NOT NULL), 0) / sum(commits)::DOUBLE AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
           CASE WHEN NOT bool_or(seen) THEN 'nobody in its history is known to be its backer''s' END AS reason
    FROM affiliated WHERE backer IS NOT NULL GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
