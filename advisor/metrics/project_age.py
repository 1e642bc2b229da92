"""Age of the project."""

from advisor.model import Metric

METRIC = Metric(
    name="project_age",
    title="Age of the project",
    definition="Years from the first commit on the default branch to the as-of date.",
    unit="years",
    direction="neither",
    sql="""
    SELECT repository, date_diff('day', min(day), $as_of) / 365.25 AS value, value AS low, value AS high,
           sum(commits) AS n, 1.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM contributions GROUP BY repository
    """,
    needs=("contributions",),
)
