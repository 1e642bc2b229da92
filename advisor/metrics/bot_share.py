"""Bot share."""

from advisor.model import Metric

METRIC = Metric(
    name="bot_share",
    title="Bot activity",
    label="commits of bots",
    definition=(
        "Share of the last year's commits that services made: robots that update dependencies, release, merge "
        "or translate. AI agents are not services; the agent share counts them. Shown, not scored."
    ),
    unit="share",
    direction="neither",
    sql="""
    SELECT repository, coalesce(sum(commits - coalesce(agent_commits, 0)) FILTER (is_bot), 0) / sum(commits)::DOUBLE AS value,
           value AS low, value AS high, sum(commits) AS n, 1.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day, NULL AS reason
    FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
