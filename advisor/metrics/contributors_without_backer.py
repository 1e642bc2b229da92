"""Contributors without the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="contributors_without_backer",
    title="Contributors without the backer",
    definition=(
        "Contributors of the last year who would remain without the backer: those who are not known to belong "
        "to the backer. Low end: only people who are known to belong to another organisation. The e-mail "
        "address that a person used last decides which organisation they belong to."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, any_value(organisation) AS organisation, bool_or(is_from_backer) AS is_from_backer,
               min(source) AS source, bool_or(has_backer_people) AS has_backer_people, min(day) AS start_day, max(day) AS day
        FROM affiliated_commits WHERE backer IS NOT NULL GROUP BY repository, author
    )
    SELECT repository, CASE WHEN bool_or(has_backer_people) THEN count(*) FILTER (NOT is_from_backer) END AS value,
           CASE WHEN bool_or(has_backer_people) THEN count(*) FILTER (NOT is_from_backer AND organisation IS NOT NULL) END AS low,
           value AS high, count(*) AS n,
           count(organisation) / count(*)::DOUBLE AS evidence_share, list(DISTINCT source) AS sources,
           min(start_day) AS first_day, max(day) AS last_day,
           CASE WHEN NOT bool_or(has_backer_people) THEN 'no person in its history is known to belong to the backer' END AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
