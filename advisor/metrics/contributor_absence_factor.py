"""Contributor absence factor."""

from advisor.model import Metric

METRIC = Metric(
    name="contributor_absence_factor",
    title="Contributor absence factor",
    definition=(
        "Smallest number of people who together made half of the commits in the window. Not "
        "applicable below ten commits: a dying project would look good."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH authors AS (
        SELECT repository, author, sum(commits) AS made, min(source) AS source,
               min(day) AS began, max(day) AS day
        FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot GROUP BY repository, author
    ),
    ranked AS (
        SELECT *, sum(made) OVER (PARTITION BY repository ORDER BY made DESC, author) AS running,
               sum(made) OVER (PARTITION BY repository) AS total
        FROM authors
    )
    SELECT repository, CASE WHEN total >= 10 THEN 1 + count(*) FILTER (2 * running < total) END AS value,
           value AS low, value AS high, total AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(began) AS first_day, max(day) AS last_day,
           CASE WHEN total < 10 THEN 'only ' || total || ' commits in the window: concentration says nothing' END AS reason
    FROM ranked GROUP BY repository, total
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3944,
)
