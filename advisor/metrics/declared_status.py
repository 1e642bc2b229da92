"""Declared status."""

from advisor.model import Metric

METRIC = Metric(
    name="declared_status",
    title="Declared status",
    definition=(
        "What the README says about the project: active, unmaintained, deprecated or archived. The evidence "
        "is the sentence in the README. GitHub also says whether it is archived, and gone is a repository that "
        "GitHub knew when it was collected before and no longer knows."
    ),
    unit="status",
    direction="neither",
    sql="""
    SELECT repository, declared_status AS value, NULL AS low, NULL AS high, 1 AS n,
           1.0 AS evidence_share, [source] AS sources, observed_on AS first_day, observed_on AS last_day,
           evidence AS reason
    FROM repositories WHERE declared_status IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY observed_on DESC, source) = 1
    """,
    needs=("repositories",),
)
