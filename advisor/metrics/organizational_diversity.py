"""Organizational diversity."""

from advisor.model import Metric

METRIC = Metric(
    name="organizational_diversity",
    title="Organizational diversity",
    label="organisations that contribute",
    definition=(
        "Number of different organisations whose people made commits in the last year. High end: every person "
        "without a known organisation adds one organisation."
    ),
    unit="organisations",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, max(organisation) AS organisation, sum(commits) AS commit_count,
               min(source) AS source, min(day) AS start_day, max(day) AS day
        FROM affiliated_commits GROUP BY repository, author
    )
    SELECT repository, count(DISTINCT organisation) AS value, value AS low,
           value + count(*) FILTER (organisation IS NULL) AS high, sum(commit_count) AS n,
           count(organisation) / count(*)::DOUBLE AS evidence_share, list(DISTINCT source) AS sources,
           min(start_day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
