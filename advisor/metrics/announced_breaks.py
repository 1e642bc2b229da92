"""Announced breaking changes."""

from advisor.model import Metric

METRIC = Metric(
    name="announced_breaks",
    title="Announced breaking changes",
    definition=(
        "Share of the public names and members that releases of the last three years removed or changed incompatibly "
        "and that the release before had marked as deprecated: by a decorator, in the docstring, or with a warning "
        "about the name. A new required parameter counts as not announced."
    ),
    unit="share",
    direction="more",
    sql="""
    WITH broken AS (
        SELECT repository, version, name, member, any_value(source) AS source, min(released_on) AS released_on,
               bool_or(was_deprecated) AS was_deprecated
        FROM api_changes WHERE NOT is_alias AND released_on > $as_of - CAST($window_days AS INTEGER)
        GROUP BY repository, version, name, member
    ),
    repositories_read AS (
        SELECT repository, any_value(source) AS source, max(reason) AS reason, count(names) AS known
        FROM api_releases GROUP BY repository
    )
    SELECT a.repository, count(*) FILTER (was_deprecated) / nullif(count(name), 0)::DOUBLE AS value, value AS low,
           value AS high, count(name) AS n, CASE WHEN any_value(known) = 0 THEN 0.0 ELSE 1.0 END AS evidence_share,
           list(DISTINCT a.source) AS sources, min(released_on) AS first_day, max(released_on) AS last_day,
           CASE WHEN any_value(known) = 0 THEN any_value(a.reason)
                WHEN count(name) = 0 THEN 'no release of the last three years broke anything' END AS reason
    FROM repositories_read AS a LEFT JOIN broken AS b ON a.repository = b.repository
    GROUP BY a.repository
    """,
    needs=("api_releases", "api_changes"),
    window_days=1095,
)
