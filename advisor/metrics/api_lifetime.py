"""Median life of a public name."""

from advisor.metrics.shared.survival import medians
from advisor.model import Metric

METRIC = Metric(
    name="api_lifetime",
    title="Median life of a public name",
    definition=(
        "Days from the release that added a public class, function or constant to the release without it: the "
        "Kaplan-Meier median over all names there ever were. Names that are still there are censored, and other "
        "names of the same object do not count."
    ),
    unit="days",
    direction="more",
    sql=f"""
    WITH names AS (
        SELECT *, removed_on IS NOT NULL AS is_gone FROM api_names WHERE NOT is_alias AND kind <> 'module'
    ),
    spans AS (
        SELECT repository, CASE WHEN is_gone THEN 1.0 ELSE 0.0 END AS is_event,
               date_diff('day', added_on, coalesce(removed_on, $as_of))::DOUBLE AS days FROM names
    ),
    {medians("repository")},
    provenance AS (
        SELECT repository, list(DISTINCT source) AS sources, min(added_on) AS first_day,
               max(coalesce(removed_on, added_on)) AS last_day FROM names GROUP BY repository
    )
    SELECT m.repository, median AS value, CASE WHEN median IS NOT NULL THEN low END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n, 1.0 AS evidence_share,
           sources, first_day, last_day,
           CASE WHEN median IS NULL THEN 'more than half of the public names are expected to stay' END AS reason
    FROM medians AS m JOIN provenance AS p ON m.repository = p.repository
    """,
    needs=("api_names",),
)
