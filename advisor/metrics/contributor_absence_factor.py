"""Contributor absence factor."""

from advisor.model import Metric

METRIC = Metric(
    name="contributor_absence_factor",
    title="Contributor absence factor",
    label="people behind half the commits",
    definition=(
        "Smallest number of people who together made half of the commits of the last year. Not applicable "
        "with fewer than ten commits, because a project that is nearly abandoned would get a good value."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH authors AS (
        SELECT repository, author, sum(commits) AS commit_count, min(source) AS source,
               min(day) AS start_day, max(day) AS day
        FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot GROUP BY repository, author
    ),
    ordered_authors AS (
        SELECT *, sum(commit_count) OVER (PARTITION BY repository ORDER BY commit_count DESC, author) AS running_count,
               sum(commit_count) OVER (PARTITION BY repository) AS total
        FROM authors
    )
    SELECT repository, CASE WHEN total >= 10 THEN 1 + count(*) FILTER (2 * running_count < total) END AS value,
           value AS low, value AS high, total AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           CASE WHEN total < 10 THEN 'only ' || total || ' commits in the last year: too few to measure concentration' END AS reason
    FROM ordered_authors GROUP BY repository, total
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3944,
)
