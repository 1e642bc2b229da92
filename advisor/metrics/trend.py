"""Trend."""

from advisor.model import Metric

METRIC = Metric(
    name="trend",
    title="Trend",
    label="commits vs the year before",
    definition=(
        "Commits by people, not bots, in the last year divided by those in the year before. Interval: 95 %, "
        "for the ratio of two Poisson counts. Not applicable if the history is shorter than two years, or if the "
        "year before has no commits."
    ),
    unit="ratio",
    direction="more",
    sql="""
    WITH halves AS (
        SELECT repository,
               coalesce(sum(commits) FILTER (day > $as_of - CAST($window_days AS INTEGER)), 0)::DOUBLE AS now,
               coalesce(sum(commits) FILTER (day <= $as_of - CAST($window_days AS INTEGER)
                   AND day > $as_of - 2 * CAST($window_days AS INTEGER)), 0)::DOUBLE AS past,
               list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day
        FROM contributions WHERE NOT is_bot GROUP BY repository
    ),
    comparable_halves AS (
        SELECT *, first_day <= $as_of - 2 * CAST($window_days AS INTEGER) AS is_old_enough,
               past > 0 AND is_old_enough AS is_comparable FROM halves
    )
    SELECT repository, CASE WHEN is_comparable THEN now / past END AS value,
           CASE WHEN is_comparable THEN now / past * CASE WHEN now = 0 THEN 0 ELSE exp(-1.96 * sqrt(1 / now + 1 / past)) END END AS low,
           CASE WHEN is_comparable THEN greatest(now, 3) / past * CASE WHEN now = 0 THEN 1 ELSE exp(1.96 * sqrt(1 / now + 1 / past)) END END AS high,
           (now + past)::BIGINT AS n, 1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN NOT is_old_enough THEN 'the history is too short to compare two years'
                WHEN NOT is_comparable THEN 'nobody committed in the year before the last one, so there is nothing to compare with' END AS reason
    FROM comparable_halves
    """,
    needs=("contributions",),
    window_days=365,
)
