"""Organizational diversity."""

from advisor.model import Metric

METRIC = Metric(
    name="organizational_diversity",
    title="Organizational diversity",
    definition=(
        "Number of different organisations whose people made commits in the window. High end: "
        "everybody without a known one brings one more."
    ),
    unit="organisations",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, max(organisation) AS organisation, sum(commits) AS made,
               min(source) AS source, min(day) AS began, max(day) AS day
        FROM affiliated GROUP BY repository, author
    )
    SELECT repository, count(DISTINCT organisation) AS value, value AS low,
           value + count(*) FILTER (organisation IS NULL) AS high, sum(made) AS n,
           count(organisation) / count(*)::DOUBLE AS evidence_share, list(DISTINCT source) AS sources,
           min(began) AS first_day, max(day) AS last_day, NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
