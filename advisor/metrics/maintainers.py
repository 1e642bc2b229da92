"""Maintainers."""

from advisor.model import Metric

METRIC = Metric(
    name="maintainers",
    title="Maintainers",
    label="people who merged or released in a year",
    definition=(
        "Number of people who merged a change request or made a release tag in the last year. High end: each merge "
        "and each tag without a known person is that of one more person. The person who merged is unknown if GitHub "
        "squashed the commits, and the person of a tag that is not annotated is unknown."
    ),
    unit="people",
    direction="more",
    sql="""
    WITH acts AS (
        SELECT repository, merged_by AS author, merged_at::DATE AS day, source FROM threads
        WHERE kind = 'change_request' AND merged_at IS NOT NULL
        UNION ALL SELECT repository, released_by, released_on, source FROM releases
    )
    SELECT repository, CASE WHEN count(author) > 0 THEN count(DISTINCT author) END AS value, value AS low,
           value + count(*) FILTER (author IS NULL) AS high, count(*) AS n,
           count(author) / count(*)::DOUBLE AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day,
           CASE WHEN count(author) = 0 THEN 'the person is known for none of ' || count(*) || ' merges and releases' END AS reason
    FROM acts WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY repository
    """,
    needs=("threads", "releases"),
    window_days=365,
)
