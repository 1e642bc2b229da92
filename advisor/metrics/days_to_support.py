"""Days to support."""

from advisor.metrics.shared.survival import support_curves
from advisor.model import Metric

METRIC = Metric(
    name="days_to_support",
    title="Days to support",
    definition=(
        "Kaplan–Meier median of the days from the first public weights of a model family to "
        "its first support, over families that came after the library; those not supported "
        "are censored. Support before the release counts as day 0. A library that loads "
        "whatever transformers loads supports a family from the first release of transformers "
        "with its architecture."
    ),
    unit="days",
    direction="less",
    sql=f"""
    WITH {support_curves()}
    SELECT repository, median AS value, CASE WHEN median IS NOT NULL THEN low END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           1.0 AS evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN 'fewer than half were ever supported: ' || events || ' of ' || n END AS reason
    FROM curves
    """,
    needs=("model_support", "contributions"),
)
