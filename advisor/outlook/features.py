"""The features: the title and the unit of each, and the columns of a panel that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# lag in days → largest allowed deviation of the older row, in days
LAGS = {90: 35, 180: 50, 365: 75}
WINDOWS = (180, 365, 730)
BUSY = (3, 10)  # commits in 30 days


@dataclass(frozen=True)
class Feature:
    """A feature of the model.

    Attributes:
        title: what a reader sees.
        unit: unit of the value.
        family: group of features in the report.
        uses: columns of the panel that the feature needs.
    """

    title: str
    unit: str
    family: str
    uses: tuple[str, ...]


_LAST, _COMMITS, _ISSUES = ("last_commit",), ("commits",), ("open_issues", "closed_issues")
FEATURES: Mapping[str, Feature] = {
    "idle_days": Feature("days since the last commit", "days", "recency", _LAST),
    "idle_smoothed": Feature(
        "typical time without commits (recent months weigh more)", "log days", "recency", _LAST
    ),
    "idle_share_of_age": Feature(
        "time without commits as a share of its age", "share", "recency", ("last_commit", "created")
    ),
    "longest_pause": Feature("longest observed time between commits", "days", "recency", _LAST),
    "usual_pause": Feature("typical observed time between commits", "days", "recency", _LAST),
    "idle_over_longest_pause": Feature(
        "time without commits relative to its longest pause", "ratio", "recency", _LAST
    ),
    "active_months_365": Feature("months with an observed commit, of 12", "months", "recency", _LAST),
    "active_months_730": Feature("months with an observed commit, of 24", "months", "recency", _LAST),
    **{
        f"idle_median_{days}": Feature(f"median time without commits, {days} days", "days", "recency", _LAST)
        for days in WINDOWS
    },
    **{
        f"fresh_share_{days}": Feature(
            f"share of months with a new commit, {days} days", "share", "recency", _LAST
        )
        for days in WINDOWS
    },
    **{
        f"idle_mean_{days}": Feature(f"mean time without commits, {days} days", "days", "recency", _LAST)
        for days in (180, 730)
    },
    **{
        f"idle_max_{days}": Feature(f"longest time without commits, {days} days", "days", "recency", _LAST)
        for days in (365, 730)
    },
    **{
        f"commits_a_month_{days}": Feature(f"commits per month, {days} days", "commits", "flow", _COMMITS)
        for days in (200, 400, 800)
    },
    **{
        f"quiet_share_{days}": Feature(f"months without commits, {days} days", "share", "flow", _COMMITS)
        for days in (200, 400, 800)
    },
    **{
        f"commits_median_{days}": Feature(
            f"median commits per month, {days} days", "commits", "flow", _COMMITS
        )
        for days in (400, 800)
    },
    "commits_trend": Feature("recent commits relative to usual commits", "log ratio", "flow", _COMMITS),
    "commits_smoothed": Feature(
        "commits per month (recent months weigh more)", "log commits", "flow", _COMMITS
    ),
    "commits_burst": Feature("busiest month relative to the usual month", "ratio", "flow", _COMMITS),
    "recent_commits": Feature("commits in 90 days", "commits", "flow", ("recent_commits",)),
    "commits": Feature("total commits", "commits", "flow", _COMMITS),
    "age_days": Feature("age", "days", "flow", ("created",)),
    "commits_a_day": Feature("commits per day since its creation", "commits", "flow", ("commits", "created")),
    "commits_per_contributor": Feature(
        "commits per contributor", "commits", "flow", ("commits", "contributors")
    ),
    **{
        f"days_since_busy_{busy}": Feature(
            f"days since a month with {busy} commits", "days", "flow", _COMMITS
        )
        for busy in BUSY
    },
    "open_issue_share": Feature("share of issues that are open", "share", "issues", _ISSUES),
    "open_issues": Feature("open issues", "issues", "issues", ("open_issues",)),
    "closed_issues": Feature("closed issues", "issues", "issues", ("closed_issues",)),
    "change_requests": Feature("total change requests", "change requests", "issues", ("change_requests",)),
    "open_issues_more_365": Feature("change of open issues in a year", "issues", "issues", ("open_issues",)),
    "threads_180": Feature("new issues in 180 days", "issues", "issues", _ISSUES),
    "threads_365": Feature("new issues in a year", "issues", "issues", _ISSUES),
    "days_since_issue_closed": Feature(
        "days since an issue was last closed", "days", "issues", ("closed_issues",)
    ),
    "days_since_change_request": Feature(
        "days since the last new change request", "days", "issues", ("change_requests",)
    ),
    "contributors": Feature("total contributors", "people", "people", ("contributors",)),
    "days_since_newcomer": Feature(
        "days since the last new contributor", "days", "people", ("contributors",)
    ),
    "releases": Feature("total releases", "releases", "releases", ("releases",)),
    "releases_a_day": Feature(
        "releases per day since its creation", "releases", "releases", ("releases", "created")
    ),
    "release_age": Feature("days since the last release", "days", "releases", ("last_release",)),
    "commit_after_release": Feature(
        "days from the last release to the last commit",
        "days",
        "releases",
        ("last_release", "last_commit"),
    ),
    "releases_365": Feature("releases in a year", "releases", "releases", ("releases",)),
    "days_since_release_seen": Feature(
        "days since a release was last observed", "days", "releases", ("releases",)
    ),
    "stars": Feature("stars", "stars", "adoption", ("stars",)),
    "stars_a_day": Feature("stars per day since its creation", "stars", "adoption", ("stars", "created")),
    "forks": Feature("forks", "forks", "adoption", ("forks",)),
    "forks_per_star": Feature("forks per star", "ratio", "adoption", ("forks", "stars")),
    "watchers": Feature("watchers", "people", "adoption", ("watchers",)),
    "downloads": Feature("downloads per month", "downloads", "adoption", ("downloads",)),
    "downloads_growth_180": Feature("growth of downloads, 180 days", "share", "adoption", ("downloads",)),
    "dependents": Feature("dependent projects", "projects", "adoption", ("dependents",)),
    "days_since_dependent": Feature("days since the last new dependent", "days", "adoption", ("dependents",)),
    **{
        f"issues_closed_{days}": Feature(
            f"issues closed in {days} days", "issues", "issues", ("closed_issues",)
        )
        for days in LAGS
    },
    **{
        f"star_growth_{days}": Feature(f"growth of stars, {days} days", "share", "adoption", ("stars",))
        for days in LAGS
    },
    **{
        f"change_requests_{days}": Feature(
            f"change requests in {days} days", "change requests", "issues", ("change_requests",)
        )
        for days in (90, 180)
    },
    **{
        f"newcomers_{days}": Feature(
            f"new contributors in {days} days", "people", "people", ("contributors",)
        )
        for days in (180, 365)
    },
    **{
        f"newcomer_growth_{days}": Feature(
            f"growth of contributors, {days} days", "share", "people", ("contributors",)
        )
        for days in (180, 365)
    },
}
