"""Commits without the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="commits_without_backer",
    title="Commits without the backer",
    definition=(
        "Commits of the last year that would remain without the backer: those of people who are not known to "
        "belong to the backer. Low end: only the commits of people who are known to belong to another "
        "organisation."
    ),
    unit="commits",
    direction="more",
    sql="""
    SELECT repository, CASE WHEN bool_or(has_backer_people) THEN coalesce(sum(commits) FILTER (NOT is_from_backer), 0) END AS value,
           CASE WHEN bool_or(has_backer_people) THEN coalesce(sum(commits) FILTER (NOT is_from_backer AND organisation IS NOT NULL), 0) END AS low,
           value AS high,
           sum(commits) AS n, coalesce(sum(commits) FILTER (organisation IS NOT NULL), 0) / sum(commits)::DOUBLE AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
           CASE WHEN NOT bool_or(has_backer_people) THEN 'no person in its history is known to belong to the backer' END AS reason
    FROM affiliated_commits WHERE backer IS NOT NULL GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
