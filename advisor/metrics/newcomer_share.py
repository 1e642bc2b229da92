"""Share of new contributors."""

from advisor.model import Metric

METRIC = Metric(
    name="newcomer_share",
    title="Share of new contributors",
    definition=(
        "People whose first commit ever on the default branch is in the last year, divided by all people who ever "
        "made a commit there. Bots do not count."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH people AS (
        SELECT repository, author, min(day) AS start_day, max(day) AS day, min(source) AS source
        FROM contributions WHERE NOT is_bot GROUP BY repository, author
    )
    SELECT repository,
           count(*) FILTER (start_day > $as_of - CAST($window_days AS INTEGER)) / count(*) AS value,
           value AS low, value AS high, count(*) AS n, 1.0 AS evidence_share,
           list(DISTINCT source) AS sources, min(start_day) AS first_day, max(day) AS last_day,
           NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
