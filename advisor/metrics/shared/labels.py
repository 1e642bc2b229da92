"""Plain names of metrics, in the tables and sentences of every report."""

from __future__ import annotations

# Plainer than the metric's title, for readers who do not know CHAOSS.
LABELS = {
    "contributors": "contributors in a year",
    "contributor_absence_factor": "people behind half the commits",
    "issues_closed_share": "issues closed",
    "change_request_acceptance_ratio": "change requests merged",
    "elephant_factor": "orgs behind half the commits",
    "organizational_diversity": "organisations that contribute",
    "model_families": "model families named or shown",
    "timely_support": "new models within 90 days",
    "code_changes_commits": "commits in a year",
    "trend": "commits vs the year before",
    "downloads": "downloads in 30 days",
    "measured_throughput": "training speed, trl = 1",
    "measured_peak_memory": "peak memory, trl = 1",
}
