"""Organizational influence of the backer."""

from advisor.model import Metric

METRIC = Metric(
    name="organizational_influence",
    title="Organizational influence of the backer",
    definition=(
        "Share of the window's commits that the backer's people made, over the commits of people whose "
        "organisation is known from an address that they used by then. Low end: nobody else is the "
        "backer's; high end: everybody whose organisation is unknown is. Not applicable below ten commits "
        "or with under a tenth known."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH sums AS (
        SELECT repository, sum(commits) AS total, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day, bool_or(seen) AS seen,
               coalesce(sum(commits) FILTER (organisation IS NOT NULL), 0) AS known,
               coalesce(sum(commits) FILTER (is_backers), 0) AS backers_own
        FROM affiliated WHERE backer IS NOT NULL GROUP BY repository
    )
    SELECT repository,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN backers_own / known::DOUBLE END AS value,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN backers_own / total::DOUBLE END AS low,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN (backers_own + total - known) / total::DOUBLE END AS high,
           total AS n, known / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN NOT seen THEN 'nobody in its history is known to be its backer''s'
                WHEN total < 10 THEN 'only ' || total || ' commits in the window: concentration says nothing'
                WHEN 10 * known < total THEN 'the organisation of ' || known || ' of ' || total || ' commits is known' END AS reason
    FROM sums
    """,
    needs=("contributions",),
    window_days=365,
)
