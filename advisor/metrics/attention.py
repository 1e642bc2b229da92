"""Attention."""

from advisor.attention import PLACED
from advisor.model import Metric

METRIC = Metric(
    name="attention",
    title="Attention",
    definition=(
        "How much a library is looked at: stars, and stars gained in a year. "
        "Mean of the places (share of the population at or below) in a reference population of libraries; "
        "low and high: the lowest and the highest of them."
    ),
    unit="share",
    direction="neither",
    sql=f"""
    WITH {PLACED}
    SELECT repository, CASE WHEN count(*) >= 1 THEN sum(place) / count(*) / 100.0 END AS value,
           CASE WHEN count(*) >= 1 THEN min(place) / 100.0 END AS low, CASE WHEN count(*) >= 1 THEN max(place) / 100.0 END AS high,
           count(*) AS n, count(*) / 2.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) < 1 THEN 'only ' || count(*) || ' of 2 figures are known' END AS reason
    FROM placed WHERE side = 'attention' GROUP BY repository
    """,
    needs=("counts",),
    window_days=365,
)
