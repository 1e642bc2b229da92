"""Security policy."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="security_policy",
    title="Security policy",
    definition=(
        "Score of the check Security-Policy of OpenSSF Scorecard: 0 means that neither the repository nor its "
        "owner says how to report a vulnerability. A check that could not run has no score; scores older than "
        "400 days do not count."
    ),
    unit="points of 10",
    direction="more",
    sql=latest_total_sql("scorecard:Security-Policy", window=True),
    needs=("counts",),
    window_days=400,
)
