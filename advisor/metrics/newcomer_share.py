"""Share of new contributors."""

from advisor.metrics.shared.people import PEOPLE
from advisor.model import Metric

METRIC = Metric(
    name="newcomer_share",
    title="Share of new contributors",
    definition=(
        "People whose first commit ever on the default branch is in the last year, divided by all people who ever "
        "made a commit there. Bots do not count."
    ),
    unit="share",
    direction="more",
    sql=f"""
    {PEOPLE}
    SELECT repository,
           count(*) FILTER (start_day > $as_of - CAST($window_days AS INTEGER)) / count(*) AS value,
           min(start_day) AS first_day, max(day) AS last_day, list(DISTINCT source) AS sources,
           value AS low, value AS high, count(*) AS n, 1.0 AS evidence_share, NULL AS reason
    FROM people GROUP BY repository
    """,
    needs=("contributions",),
    window_days=365,
)
