"""Substance."""

from advisor.attention import PLACED
from advisor.model import Metric

METRIC = Metric(
    name="substance",
    title="Substance",
    definition=(
        "How much a library is used and worked on: downloads, people who ever contributed, issues closed, "
        "change requests. "
        "Mean of the places (share of the population at or below) in a reference population of libraries; "
        "low and high: the lowest and the highest of them."
    ),
    unit="share",
    direction="more",
    sql=f"""
    WITH {PLACED}
    SELECT repository, CASE WHEN count(*) >= 2 THEN sum(place) / count(*) / 100.0 END AS value,
           CASE WHEN count(*) >= 2 THEN min(place) / 100.0 END AS low, CASE WHEN count(*) >= 2 THEN max(place) / 100.0 END AS high,
           count(*) AS n, count(*) / 4.0 AS evidence_share, list(DISTINCT source) AS sources,
           min(day) AS first_day, max(day) AS last_day,
           CASE WHEN count(*) < 2 THEN 'only ' || count(*) || ' of 4 figures are known' END AS reason
    FROM placed WHERE side = 'substance' GROUP BY repository
    """,
    needs=("contributions", "threads", "counts"),
    window_days=365,
)
