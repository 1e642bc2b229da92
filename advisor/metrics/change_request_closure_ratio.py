"""Change request closure ratio."""

from advisor.model import Metric

METRIC = Metric(
    name="change_request_closure_ratio",
    title="Change request closure ratio",
    definition=(
        "Share of the change requests opened in the last year that were closed or merged by the as-of date. "
        "git shows closed change requests that were not merged only if a commit closed them. So if git is the only "
        "source, the high end counts all change requests as closed."
    ),
    unit="share",
    direction="more",
    sql="""
    SELECT repository, count(coalesce(closed_at, closed_by, merged_at)) / count(*)::DOUBLE AS value,
           count(coalesce(closed_at, merged_at)) / count(*)::DOUBLE AS low,
           CASE WHEN bool_or(source LIKE 'git:%') THEN 1.0 ELSE value END AS high, count(*) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, min(opened_at)::DATE AS first_day, max(opened_at)::DATE AS last_day, NULL AS reason
    FROM recent_threads WHERE kind = 'change_request'
    GROUP BY repository
    """,
    needs=("threads",),
    window_days=365,
    chaoss=4834,
)
