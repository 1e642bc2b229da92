"""Newcomer retention."""

from advisor.metrics.shared.people import PEOPLE
from advisor.model import Metric

METRIC = Metric(
    name="newcomer_retention",
    title="Newcomer retention",
    label="newcomers who came again",
    definition=(
        "Share of the people whose first commit ever was in the year before the last year who made another commit on "
        "a later day, at most a year after the first. Bots do not count."
    ),
    unit="share",
    direction="more",
    sql=f"""
    {PEOPLE},
    newcomers AS (
        SELECT p.repository, p.author, p.start_day, max(p.day) AS day, min(p.source) AS source,
               bool_or(c.day > p.start_day AND c.day <= p.start_day + CAST($window_days AS INTEGER)) AS came_again
        FROM people AS p JOIN contributions AS c ON c.repository = p.repository AND c.author = p.author
        WHERE p.start_day > $as_of - 2 * CAST($window_days AS INTEGER)
              AND p.start_day <= $as_of - CAST($window_days AS INTEGER) AND NOT c.is_bot
        GROUP BY p.repository, p.author, p.start_day
    )
    SELECT p.repository,
           CASE WHEN count(n.author) > 0 THEN count(*) FILTER (came_again) / count(n.author)::DOUBLE END AS value,
           value AS low, value AS high, count(n.author) AS n, 1.0 AS evidence_share,
           list(DISTINCT p.source) AS sources, min(p.start_day) AS first_day, max(p.day) AS last_day,
           CASE WHEN count(n.author) = 0 THEN 'nobody made a first commit in the year before the last year' END AS reason
    FROM people AS p LEFT JOIN newcomers AS n ON n.repository = p.repository AND n.author = p.author
    GROUP BY p.repository
    """,
    needs=("contributions",),
    window_days=365,
)
