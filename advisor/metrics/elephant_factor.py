"""Elephant factor."""

from advisor.model import Metric

METRIC = Metric(
    name="elephant_factor",
    title="Elephant factor",
    definition=(
        "Smallest number of organisations whose people together made half of the commits in "
        "the window, over the commits of people whose organisation is known. Low end: all unknown "
        "commits belong to the largest organisation. High end: every author without one is an "
        "organisation of their own. Not applicable below ten commits or with under a tenth "
        "known."
    ),
    unit="organisations",
    direction="more",
    sql="""
    WITH parts AS (
        SELECT repository, organisation, author, sum(commits) AS made, min(source) AS source,
               min(day) AS began, max(day) AS day
        FROM affiliated GROUP BY repository, organisation, author
    ),
    totals AS (
        SELECT repository, sum(made) AS total, coalesce(sum(made) FILTER (organisation IS NOT NULL), 0) AS known,
               list(DISTINCT source) AS sources, min(began) AS first_day, max(day) AS last_day
        FROM parts GROUP BY repository
    ),
    groups AS (
        SELECT repository, organisation, coalesce(organisation, author::VARCHAR) AS holder, sum(made) AS made
        FROM parts GROUP BY ALL
    ),
    running AS (
        SELECT g.repository, total, known, organisation IS NOT NULL AS is_known, made,
               sum(made) OVER (PARTITION BY g.repository, organisation IS NOT NULL ORDER BY made DESC, holder) AS among_known,
               sum(made) OVER (PARTITION BY g.repository ORDER BY made DESC, holder) AS among_all
        FROM groups AS g JOIN totals AS t ON g.repository = t.repository
    ),
    factors AS (
        SELECT repository,
               1 + count(*) FILTER (is_known AND 2 * among_known < known) AS middle,
               1 + count(*) FILTER (is_known AND 2 * (among_known + total - known) < total) AS low,
               1 + count(*) FILTER (2 * among_all < total) AS high
        FROM running GROUP BY repository
    )
    SELECT t.repository,
           CASE WHEN total >= 10 AND 10 * known >= total THEN middle END AS value,
           CASE WHEN total >= 10 AND 10 * known >= total THEN least(low, middle) END AS low,
           CASE WHEN total >= 10 AND 10 * known >= total THEN greatest(high, middle) END AS high,
           total AS n, known / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN total < 10 THEN 'only ' || total || ' commits in the window: concentration says nothing'
                WHEN 10 * known < total THEN 'the organisation of ' || known || ' of ' || total || ' commits is known' END AS reason
    FROM totals AS t JOIN factors AS f ON t.repository = f.repository
    """,
    needs=("contributions",),
    window_days=365,
    chaoss=3940,
)
