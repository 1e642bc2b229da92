"""Safety of CI workflows."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="workflow_safety",
    title="Safety of CI workflows",
    definition=(
        "Score of the check Dangerous-Workflow of OpenSSF Scorecard: 10, or 0 if a workflow of GitHub Actions "
        "lets foreign code run with its rights. A check that could not run has no score; scores older than "
        "400 days do not count."
    ),
    unit="points of 10",
    direction="more",
    sql=latest_total_sql("scorecard:Dangerous-Workflow", window=True),
    needs=("counts",),
    window_days=400,
)
