"""Contributors."""

from advisor.model import Metric

METRIC = Metric(
    name="contributors",
    title="Contributors",
    label="contributors in a year",
    definition=(
        "Number of people, without bots and AI agents, who wrote at least one commit on the default branch in "
        "the last year: as its author or, as on GitHub, as a co-author by a trailer Co-authored-by. Low end: "
        "authors alone."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH shares AS (
        SELECT repository, day, author, commits, is_bot, true AS is_author, source FROM contributions
        UNION ALL
        SELECT repository, day, author, 0 AS commits, false AS is_bot, false AS is_author, source FROM co_authorships
    )
    SELECT repository, coalesce(count(DISTINCT author) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot), 0) AS value,
           coalesce(count(DISTINCT author) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot AND is_author), 0) AS low,
           value AS high,
           coalesce(sum(commits) FILTER (day > $as_of - CAST($window_days AS INTEGER) AND NOT is_bot), 0) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM shares GROUP BY repository
    """,
    needs=("contributions", "co_authorships"),
    window_days=365,
)
