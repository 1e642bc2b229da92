"""Contributor retention."""

from advisor.metrics.shared.people import PEOPLE_OF_TWO_YEARS
from advisor.model import Metric

METRIC = Metric(
    name="contributor_retention",
    title="Contributor retention",
    label="contributors who are back",
    definition=(
        "Share of the people with a commit in the year before the last year who made a commit in the last year too. "
        "Bots do not count."
    ),
    unit="share",
    direction="more",
    sql=f"""
    {PEOPLE_OF_TWO_YEARS}
    SELECT repository,
           CASE WHEN count(*) FILTER (was_active) > 0 THEN
               count(*) FILTER (was_active AND day > $as_of - CAST($window_days AS INTEGER))
               / count(*) FILTER (was_active)::DOUBLE END AS value,
           value AS low, value AS high, count(*) FILTER (was_active) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) FILTER (was_active) = 0 THEN 'nobody contributed in the year before the last year' END AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
