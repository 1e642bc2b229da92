"""Metrics of maintainers, retention, licences, practices and security, on examples computed by hand."""

from __future__ import annotations

import pytest


def test_maintainers_merged_or_released(measure):
    threads = [
        {"kind": "change_request", "number": n, "opened_at": "2023-05-01 00:00:00", "merged_by": who, "is_bot": False,
         "merged_at": f"{day} 00:00:00"}
        for n, (who, day) in enumerate([(1, "2023-06-01"), (2, "2023-06-02"), (1, "2023-06-03"), (None, "2023-06-04"), (9, "2022-06-01")])
    ]  # fmt: skip
    releases = [{"tag": f"v{n}", "released_on": "2023-07-01", "is_prerelease": False, "released_by": who}
                for n, who in enumerate([2, 3, None])]  # fmt: skip
    measurement = measure("maintainers", threads=threads, releases=releases)
    assert (measurement.value, measurement.low, measurement.high, measurement.n) == (3, 3, 5, 7)
    assert measurement.evidence_share == pytest.approx(5 / 7)


def test_maintainers_of_whom_git_names_none_are_unknown(measure):
    releases = [{"tag": "v1", "released_on": "2023-07-01", "is_prerelease": False}]
    threads = [{"kind": "change_request", "number": 1, "opened_at": "2023-05-01 00:00:00", "is_bot": False,
                "merged_at": "2023-05-02 00:00:00"}]  # fmt: skip
    measurement = measure("maintainers", threads=threads, releases=releases)
    assert (measurement.status, measurement.value) == ("unavailable", None)
    assert "known for none of 2 merges and releases" in measurement.reason


def commits_of(*pairs):
    return [{"day": day, "author": who, "is_bot": who == 99, "commits": 1} for who, day in pairs]


def test_contributor_retention_is_the_share_that_is_back(measure):
    rows = commits_of((1, "2022-06-01"), (1, "2023-06-01"), (2, "2022-06-01"), (3, "2022-06-01"), (4, "2023-06-01"),
                      (99, "2022-06-01"), (99, "2023-06-01"))  # fmt: skip
    measurement = measure("contributor_retention", contributions=rows)
    assert (measurement.value, measurement.n) == (pytest.approx(1 / 3), 3)
    young = measure("contributor_retention", contributions=commits_of((1, "2023-06-01")))
    assert (young.status, young.reason) == (
        "not_applicable",
        "nobody contributed in the year before the last year",
    )


def test_newcomer_retention_is_the_share_that_came_again_within_a_year(measure):
    rows = commits_of((1, "2022-06-01"), (1, "2022-06-02"), (2, "2022-06-01"), (3, "2022-06-01"), (3, "2023-06-02"),
                      (4, "2021-06-01"), (4, "2022-06-01"), (5, "2022-06-01"), (5, "2023-06-01"))  # fmt: skip
    measurement = measure("newcomer_retention", contributions=rows)
    assert (measurement.value, measurement.n) == (0.5, 4), "1 and 5 came again; 3 a day too late; 4 was old"
    none = measure("newcomer_retention", contributions=commits_of((1, "2021-06-01"), (1, "2022-06-01")))
    assert (none.status, none.reason) == (
        "not_applicable", "nobody made a first commit in the year before the last year"
    )  # fmt: skip


def test_licence_changes_count_known_licences_only(measure):
    states = [
        ("2019-01-01", "Apache-2.0"),
        ("2020-01-01", None),
        ("2021-01-01", "Apache-2.0"),
        ("2022-01-01", "BUSL-1.1"),
    ]
    rows = [
        {"observed_on": day, "licence": licence, "evidence_commit": f"{n}"}
        for n, (day, licence) in enumerate(states)
    ]
    rows.append({"observed_on": "2023-01-01", "licence": "Other"})  # GitHub's word has no commit
    measurement = measure("licence_changes", repositories=rows)
    assert (measurement.value, measurement.reason) == (1, "Apache-2.0 became BUSL-1.1 on 2022-01-01")
    assert measure("licence_changes", repositories=rows[:3]).value == 0
    assert measure("licence_changes", repositories=rows[4:]).status == "unavailable"


def test_files_of_practices_are_the_latest_counts_however_old(measure):
    counts = [{"day": day, "metric": metric, "value": value, "definition": ""}
              for metric in ("test_files", "ci_files", "funding_files", "governance_files")
              for day, value in (("2019-01-01", 0), ("2020-01-01", 3))]  # fmt: skip
    assert measure("test_files", counts=counts).value == 3
    assert measure("ci_files", counts=counts).value == 3
    assert measure("funding_files", counts=counts).value == 3
    assert measure("governance_files", counts=counts[:-1]).value == 0


def test_security_metrics_are_the_latest_figures_of_a_year(measure):
    counts = [{"day": day, "metric": metric, "value": value, "definition": ""}
              for metric, value in (("advisories", 2), ("scorecard:Security-Policy", 0), ("scorecard:Dangerous-Workflow", 10))
              for day in ("2023-06-01",)]  # fmt: skip
    assert measure("open_advisories", counts=counts).value == 2
    assert measure("security_policy", counts=counts).value == 0
    assert measure("workflow_safety", counts=counts).value == 10
    old = [{**row, "day": "2022-06-01"} for row in counts]
    assert measure("workflow_safety", counts=old).status == "unavailable"
    assert measure("security_policy", counts=counts[:1]).status == "unavailable", "a check that did not run"
