"""Agent share."""

from advisor.model import Metric

METRIC = Metric(
    name="agent_share",
    title="Agent share",
    label="commits with an AI agent",
    definition=(
        "Share of the last year's commits that an AI agent wrote or helped to write, by the author or a trailer "
        "Co-authored-by, Co-developed-by, Assisted-by or Generated-by. An agent that leaves no trace is not counted, so the share is what a project shows. "
        "Such a commit counts for its human co-author or committer, if there is one. Shown, not scored."
    ),
    unit="share",
    direction="neither",
    sql="""
    WITH years AS (
        SELECT repository, sum(commits) AS total, sum(agent_commits) AS agent_count, count(agent_commits) AS known_count,
               list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day
        FROM contributions WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY repository
    )
    SELECT repository, agent_count / total::DOUBLE AS value, value AS low, value AS high, total AS n,
           CASE WHEN known_count > 0 THEN 1.0 ELSE 0.0 END AS evidence_share, sources, first_day, last_day,
           CASE WHEN known_count = 0 THEN 'its facts were collected before agents were told apart; collect them again' END AS reason
    FROM years
    """,
    needs=("contributions",),
    window_days=365,
)
