"""Organizational influence of the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="organizational_influence",
    title="Organizational influence of the backer",
    definition=(
        "Share of the last year's commits that the backer's people made, for commits of people with a known "
        "organisation. A person's organisation is known from an e-mail address that they used by the as-of "
        "date. Low end: no other person belongs to the backer. High end: every person without a known "
        "organisation belongs to the backer. Not applicable with fewer than ten commits, or if the "
        "organisation is known for fewer than a tenth of the commits."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH sums AS (
        SELECT repository, sum(commits) AS total, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day, bool_or(has_backer_people) AS has_backer_people,
               coalesce(sum(commits) FILTER (organisation IS NOT NULL), 0) AS known_count,
               coalesce(sum(commits) FILTER (is_from_backer), 0) AS backer_count
        FROM affiliated_commits WHERE backer IS NOT NULL GROUP BY repository
    )
    SELECT repository,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN backer_count / known_count::DOUBLE END AS value,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN backer_count / total::DOUBLE END AS low,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN (backer_count + total - known_count) / total::DOUBLE END AS high,
           total AS n, known_count / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN NOT has_backer_people THEN 'no person in its history is known to belong to the backer'
                WHEN total < 10 THEN 'only ' || total || ' commits in the last year: too few to measure concentration'
                WHEN 10 * known_count < total THEN 'the organisation is known for only ' || known_count || ' of ' || total || ' commits' END AS reason
    FROM sums
    """,
    needs=("contributions",),
    window_days=365,
)
