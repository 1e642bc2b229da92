"""Days to support."""

from advisor.metrics.shared.survival import support_curves
from advisor.model import Metric

METRIC = Metric(
    name="days_to_support",
    title="Days to support",
    definition=(
        "Kaplan–Meier median of the days from the publication of a model family's weights to the first "
        "support by the library, for families that are newer than the library. Families without support are "
        "censored. Support before the publication counts as day 0. Support means that the library names the "
        "family in its code, or shows it in a test, an example, a recipe or a page."
    ),
    unit="days",
    direction="less",
    sql=f"""
    WITH {support_curves()}
    SELECT repository, median AS value, CASE WHEN median IS NOT NULL THEN low END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN 'the median is unknown, because only ' || events || ' of ' || n || ' families were ever supported' END AS reason
    FROM curves
    """,
    needs=("model_support", "contributions"),
)
