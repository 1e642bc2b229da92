"""Pages to get started."""

from advisor.metrics.shared.totals import latest_total_sql
from advisor.model import Metric

METRIC = Metric(
    name="starter_pages",
    title="Pages to get started",
    label="pages to get started",
    definition=(
        "Number of pages in the source tree that help a newcomer to get started: a page whose name says so (quick "
        "start, getting started, first steps, tutorial, 10 minutes), or a README with such a heading. Counted at the "
        "end of the last 91 days."
    ),
    unit="pages",
    direction="more",
    sql=latest_total_sql("getting_started_pages", window=False),
    needs=("counts",),
)
