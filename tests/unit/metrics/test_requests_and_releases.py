"""Change requests that were merged by hand, or may have been; releases of tags and of a package index."""

from __future__ import annotations

import pytest

from advisor.facts import reading, writing

GIT, API = "git:a/b@abc", "github:graphql"
NAMES = ("change_request_acceptance_ratio", "change_requests_duration", "change_request_closure_ratio")


def requests(count, start=0, days=None, possible_days=None, closed=None, source=GIT):
    """Return change requests opened on 2023-10-01 and merged, or perhaps merged, after some days."""

    def after(number):
        return None if number is None else f"2023-10-{1 + number:02} 00:00:00"

    return [
        {"kind": "change_request", "number": start + i, "opened_at": "2023-10-01 00:00:00", "is_bot": False,
         "merged_at": after(days), "closed_at": after(days if closed is None else closed),
         "closed_by": None if source == API or days is not None else "2024-01-01 00:00:00",
         "possibly_merged_at": after(possible_days), "source": source}
        for i in range(count)
    ]  # fmt: skip


def wilson(k, n, sign):
    z = 1.95996
    return (k + z**2 / 2 + sign * z * (k * (n - k) / n + z**2 / 4) ** 0.5) / (n + z**2)


def test_what_may_be_merged_is_in_the_bounds(measure):
    threads = [*requests(10, days=2), *requests(4, 20, possible_days=9), *requests(6, 40)]
    acceptance = measure("change_request_acceptance_ratio", threads=threads)
    assert acceptance.value == 10 / 20
    assert acceptance.low == pytest.approx(wilson(10, 20, -1), abs=1e-4)
    assert acceptance.high == pytest.approx(wilson(14, 20, 1), abs=1e-4)
    duration = measure("change_requests_duration", threads=threads)
    assert duration.value == 2 and duration.low <= 2
    closure = measure("change_request_closure_ratio", threads=threads)
    assert (closure.value, closure.low, closure.high) == (1.0, 0.5, 1.0)


def test_a_median_that_the_possible_merges_move_has_a_wider_interval(measure):
    certain = [*requests(8, days=20), *requests(7, 40)]
    possible = [*requests(8, days=20), *requests(7, 40, possible_days=1)]
    assert measure("change_requests_duration", threads=certain).low == 20
    duration = measure("change_requests_duration", threads=possible)
    assert (duration.value, duration.low) == (20, 1)


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize(
    ("threads", "reason"),
    [
        (requests(12, possible_days=5), "0 were merged visibly, and up to 12 more by hand"),
        ([*requests(2, days=1), *requests(3, 10, possible_days=5), *requests(5, 20)], "2 were merged visibly, and up to 3"),
        ([*requests(1, days=1, source=API), *requests(30, 10, closed=3, source=API)], "only 1 of its change requests were merged on GitHub and 30 were closed"),
    ],
)  # fmt: skip
def test_where_merges_cannot_be_seen_the_ratio_is_unknown(measure, name, threads, reason):
    measurement = measure(name, threads=threads)
    assert (measurement.status, measurement.value, measurement.low) == ("unavailable", None, None)
    assert reason in measurement.reason


def test_requests_that_nobody_took_are_a_certain_zero(measure):
    threads = [{**row, "closed_by": None} for row in requests(12)]
    assert measure("change_request_acceptance_ratio", threads=threads).value == 0


def test_a_possible_merge_after_the_day_is_not_known_yet(measure):
    threads = [{**row, "possibly_merged_at": "2024-02-01 00:00:00"} for row in requests(12)]
    assert measure("change_request_acceptance_ratio", threads=threads).value == 0


def test_git_knows_merges_that_github_calls_closed(measure, tmp_path):
    about = {"repository": "a/b", "retrieved_at": "2024-01-01"}
    rows = requests(10, closed=5, source=API)
    writing.write_rows(tmp_path, "threads", "a/b", [{**about, **r} for r in rows], part="github-pullrequests")
    assert measure("change_request_acceptance_ratio").status == "unavailable"
    git_rows = [*requests(6, days=5), *requests(1, 6, possible_days=5), *requests(3, 7)]
    acceptance = measure("change_request_acceptance_ratio", threads=git_rows)
    assert (acceptance.value, acceptance.n) == (0.6, 10)
    assert acceptance.high == pytest.approx(wilson(7, 10, 1), abs=1e-4)
    assert acceptance.sources == (API,)
    assert reading.open_store(tmp_path).repositories() == ["a/b"]


def tags(*days, **more):
    return [{"tag": f"t{i}", "released_on": d, "is_prerelease": False, **more} for i, d in enumerate(days)]


def test_a_day_with_releases_of_many_packages_counts_once(measure):
    rows = [
        *tags(*["2023-03-01"] * 20, package="p"),
        *tags("2023-10-01"),
        *tags("2023-11-01", is_prerelease=True),
    ]
    rows = [{**row, "tag": f"t{i}"} for i, row in enumerate(rows)]
    frequency = measure("release_frequency", releases=rows)
    assert (frequency.value, frequency.n, frequency.reason) == (2, 22, "")


def test_versions_of_the_index_win_over_tags(measure):
    versions = [
        {"package": "p", "version": str(i), "released_on": day, "is_prerelease": False, "is_yanked": i == 3}
        for i, day in enumerate(("2023-02-01", "2023-06-01", "2023-06-01", "2023-07-01"))
    ]
    frequency = measure("release_frequency", package_releases=versions)
    assert (frequency.value, frequency.n) == (2, 3)
    assert frequency.reason == "versions of the package index: 2 days; tags: 0 days"
    gap = measure("longest_release_gap", releases=tags("2023-02-01", "2023-12-01"))
    assert gap.value == 214, "from the last version on, whatever the tags say"
    frequency = measure("release_frequency")
    assert frequency.value == 2 and frequency.reason == ""


def test_reasons_of_a_trend_are_true(measure):
    def commits(*days):
        return [{"day": d, "author": 0, "is_bot": False, "commits": 3} for d in days]

    reason = measure("trend", contributions=commits("2015-01-01", "2023-12-01")).reason
    assert reason == "nobody committed in the year before the last one, so there is nothing to compare with"
    reason = measure("trend", contributions=commits("2023-01-01", "2023-12-01")).reason
    assert reason == "the history is too short to compare two years"
