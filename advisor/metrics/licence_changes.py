"""Licence changes."""

from advisor.model import Metric

METRIC = Metric(
    name="licence_changes",
    title="Licence changes",
    definition=(
        "How often the licence in the root folder became another one, from the history of LICENSE, LICENCE and "
        "COPYING (data/licences.toml). New years, names and places of a file are no change, and a text that advisor "
        "does not know counts as the licence before. A project that relicensed once may do so again."
    ),
    unit="changes",
    direction="less",
    sql="""
    WITH states AS (
        SELECT repository, observed_on, licence, source,
               lag(licence) OVER (PARTITION BY repository ORDER BY observed_on, evidence_commit) AS earlier
        FROM repositories WHERE licence IS NOT NULL AND evidence_commit IS NOT NULL
    )
    SELECT repository, count(*) FILTER (earlier <> licence) AS value, value AS low, value AS high, count(*) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(observed_on) AS first_day,
           max(observed_on) AS last_day,
           arg_max(CASE WHEN earlier <> licence THEN earlier || ' became ' || licence || ' on ' || observed_on END,
                   observed_on) FILTER (earlier <> licence) AS reason
    FROM states GROUP BY repository
    """,
    needs=("repositories",),
)
