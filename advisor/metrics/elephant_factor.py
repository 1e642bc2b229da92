"""Elephant factor."""

from advisor.model import Metric

METRIC = Metric(
    name="elephant_factor",
    title="Elephant factor",
    label="orgs behind half the commits",
    definition=(
        "Smallest number of organisations whose people together made half of the commits of the last year, "
        "for commits of people with a known organisation. Low end: all other commits belong to the largest "
        "organisation. High end: every author without a known organisation counts as an organisation. Not "
        "applicable with fewer than ten commits, or if the organisation is known for fewer than a tenth of "
        "the commits."
    ),
    unit="organisations",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, organisation, author, sum(commits) AS commit_count, min(source) AS source,
               min(day) AS start_day, max(day) AS day
        FROM affiliated_commits GROUP BY repository, organisation, author
    ),
    totals AS (
        SELECT repository, sum(commit_count) AS total, coalesce(sum(commit_count) FILTER (organisation IS NOT NULL), 0) AS known_count,
               list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day
        FROM people GROUP BY repository
    ),
    holders AS (
        SELECT repository, organisation, coalesce(organisation, author::VARCHAR) AS holder, sum(commit_count) AS commit_count
        FROM people GROUP BY ALL
    ),
    running AS (
        SELECT g.repository, total, known_count, organisation IS NOT NULL AS is_known, commit_count,
               sum(commit_count) OVER (PARTITION BY g.repository, organisation IS NOT NULL ORDER BY commit_count DESC, holder) AS running_known,
               sum(commit_count) OVER (PARTITION BY g.repository ORDER BY commit_count DESC, holder) AS running_all
        FROM holders AS g JOIN totals AS t ON g.repository = t.repository
    ),
    factors AS (
        SELECT repository,
               1 + count(*) FILTER (is_known AND 2 * running_known < known_count) AS middle,
               1 + count(*) FILTER (is_known AND 2 * (running_known + total - known_count) < total) AS low,
               1 + count(*) FILTER (2 * running_all < total) AS high
        FROM running GROUP BY repository
    )
    SELECT t.repository,
           CASE WHEN total >= 10 AND 10 * known_count >= total THEN middle END AS value,
           CASE WHEN total >= 10 AND 10 * known_count >= total THEN least(low, middle) END AS low,
           CASE WHEN total >= 10 AND 10 * known_count >= total THEN greatest(high, middle) END AS high,
           total AS n, known_count / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN total < 10 THEN 'only ' || total || ' commits in the last year: too few to measure concentration'
                WHEN 10 * known_count < total THEN 'the organisation is known for only ' || known_count || ' of ' || total || ' commits' END AS reason
    FROM totals AS t JOIN factors AS f ON t.repository = f.repository
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3940,
)
