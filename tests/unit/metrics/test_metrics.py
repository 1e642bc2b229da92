"""Metrics on examples computed by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


def commits_of(*commits, day="2023-12-01", organisations=()):
    organisation_of = dict(enumerate(organisations))
    return [
        {"day": day, "author": i, "organisation": organisation_of.get(i), "is_bot": False, "commits": n}
        for i, n in enumerate(commits)
    ]


VECTOR = (1000, 202, 90, 33, 332, 343, 42, 433)


def test_contributor_absence_factor_of_the_chaoss_vector_is_2(measure):
    assert measure("contributor_absence_factor", contributions=commits_of(*VECTOR)).value == 2


def test_contributor_absence_factor_needs_ten_commits(measure):
    measurement = measure("contributor_absence_factor", contributions=commits_of(1, 1, 1))
    assert (measurement.status, measurement.n) == ("not_applicable", 3)
    assert measurement.reason == "only 3 commits in the last year: too few to measure concentration"


def test_elephant_factor_of_the_chaoss_vectors(measure):
    eight = commits_of(*VECTOR, organisations=[f"o{i}" for i in range(8)])
    assert measure("elephant_factor", contributions=eight).value == 2
    five = commits_of(1, 2, 3, 4, 100, organisations=[f"o{i}" for i in range(5)])
    assert measure("elephant_factor", contributions=five).value == 1


def test_interval_of_the_elephant_factor_covers_unknown_organisations(measure):
    # 40 commits of measure organisation, and 6 people without an organisation with 10 commits each.
    measurement = measure(
        "elephant_factor", contributions=commits_of(40, 10, 10, 10, 10, 10, 10, organisations=["x"])
    )
    assert (measurement.low, measurement.value, measurement.high) == (1, 1, 2)
    assert measurement.evidence_share == pytest.approx(0.4)


def test_trend_is_the_ratio_of_two_years(measure):
    rows = commits_of(30) + commits_of(60, day="2022-12-01") + commits_of(1, day="2021-01-01")
    measurement = measure("trend", contributions=rows)
    assert measurement.value == 0.5
    assert measurement.low < 0.5 < measurement.high


def test_top_contributor_share_with_wilson_bounds(measure):
    measurement = measure("top_contributor_share", contributions=commits_of(50, 50))
    assert (measurement.value, round(measurement.low, 4), round(measurement.high, 4)) == (0.5, 0.4038, 0.5962)


def test_issues_closed_share_point_and_interval(measure):
    counts = [{"day": "2023-12-01", "metric": m, "value": v, "definition": ""}
              for m, v in (("open_issues", 10), ("closed_issues", 90))]  # fmt: skip
    measurement = measure("issues_closed_share", counts=counts)
    assert (measurement.value, round(measurement.low, 3), round(measurement.high, 3)) == (0.9, 0.826, 0.945)


def test_issues_closed_share_of_an_estimated_total_keeps_its_bounds(measure):
    counts = [{"day": "2023-12-01", "metric": "open_issues", "value": 20, "definition": ""},
              {"day": "2023-12-01", "metric": "issues_total", "value": 100, "low": 80, "high": 160,
               "definition": ""}]  # fmt: skip
    measurement = measure("issues_closed_share", counts=counts)
    assert (measurement.low, measurement.value, measurement.high) == (0.75, 0.8, 0.875)


def test_issues_closed_share_without_closed_issues_is_unavailable(measure):
    counts = [{"day": "2023-12-01", "metric": "open_issues", "value": 20, "definition": ""}]
    assert measure("issues_closed_share", counts=counts).status == "unavailable"


def kaplan_meier_median(spans):
    survival = 1.0
    for t in sorted({d for d, is_event in spans if is_event}):
        at_risk = sum(d >= t for d, _ in spans)
        survival *= 1 - sum(d == t and is_event for d, is_event in spans) / at_risk
        if survival <= 0.5 + 1e-12:
            return t
    return None


def test_change_requests_duration_is_the_kaplan_meier_median(measure):
    spans = [(1, True), (2, True), (2, False), (5, True), (8, True), (9, False), (12, True)]
    opened = date(2023, 10, 1)
    threads = [
        {"kind": "change_request", "number": i, "opened_at": f"{opened} 00:00:00", "is_bot": False,
         "merged_at" if is_event else "closed_at": f"{opened + timedelta(days=d)} 00:00:00"}
        for i, (d, is_event) in enumerate(spans)
    ]  # fmt: skip
    measurement = measure("change_requests_duration", threads=threads)
    assert measurement.value == kaplan_meier_median(spans) == 8
    assert measurement.low <= 8 <= measurement.high


def threads_of(kind, event, spans, **other):
    opened = date(2023, 10, 1)
    return [
        {"kind": kind, "number": i, "opened_at": f"{opened} 00:00:00", "is_bot": False, **other,
         event if is_event else "closed_at": f"{opened + timedelta(days=d)} 00:00:00"}
        for i, (d, is_event) in enumerate(spans)
    ]  # fmt: skip


ANSWERED = [(1, True), (3, False), (4, True), (6, True), (7, False), (9, True)]


def test_issue_response_time_censors_unanswered_issues(measure):
    threads = threads_of("issue", "first_response_at", ANSWERED, responses_seen=True)
    assert measure("issue_response_time", threads=threads).value == kaplan_meier_median(ANSWERED) == 6
    unknown = {**threads[0], "number": 99, "responses_seen": None, "first_response_at": None}
    measurement = measure(
        "issue_response_time", threads=[*threads, unknown, {**unknown, "number": 100, "is_bot": True}]
    )
    assert (measurement.value, measurement.n, measurement.evidence_share) == (6, 6, pytest.approx(6 / 7))
    alone = measure("issue_response_time", threads=[unknown])
    assert alone.status == "unavailable", "a source without responses is not the same as no response"


def test_time_to_first_response_of_change_requests(measure):
    threads = threads_of("change_request", "first_response_at", ANSWERED, responses_seen=True)
    assert measure("time_to_first_response", threads=threads).value == 6
    assert measure("issue_response_time", threads=threads).status == "unavailable"


def test_issue_resolution_duration_censors_open_issues(measure):
    spans = [(2, True), (5, True), (10, True), (20, True)]
    still_open = [{"kind": "issue", "number": 50 + i, "opened_at": "2023-12-30 00:00:00", "is_bot": False}
                  for i in range(3)]  # fmt: skip
    threads = threads_of("issue", "closed_at", spans) + still_open
    assert measure("issue_resolution_duration", threads=threads).value == 10
    naive = sorted(d for d, _ in spans)[1:3]
    assert sum(naive) / 2 < 10, "the median of the closed issues alone is too short"
    none_closed = measure("issue_resolution_duration", threads=still_open)
    assert (none_closed.status, none_closed.reason) == (
        "not_applicable", "fewer than half of the issues were closed, so the median is unknown"
    )  # fmt: skip


def test_change_request_ratios(measure):
    threads = [
        {"kind": "change_request", "number": i, "opened_at": "2023-10-01 00:00:00", "is_bot": False,
         "merged_at": "2023-10-05 00:00:00" if i < 6 else None,
         "closed_at": "2023-10-05 00:00:00" if i < 8 else None}
        for i in range(10)
    ]  # fmt: skip
    assert measure("change_request_acceptance_ratio", threads=threads).value == 0.6
    assert measure("change_request_closure_ratio", threads=threads).value == 0.8


def test_contributors_new_and_inactive(measure):
    old, past, now = (commits_of(1, 1, 1, 1, day=d) for d in ("2021-06-01", "2022-12-01", "2023-12-01"))
    rows = [*old[:1], *past[1:3], *now[2:]]
    assert measure("contributors", contributions=rows).value == 2
    assert measure("new_contributors", contributions=rows).value == 1
    assert measure("newcomer_share", contributions=rows).value == 0.25
    assert measure("inactive_contributors", contributions=rows).value == 1
    assert measure("code_changes_commits", contributions=rows).value == 2
    assert measure("days_since_last_commit", contributions=rows).value == 31
    assert measure("active_weeks", contributions=rows).value == 1
    assert measure("organizational_diversity", contributions=rows).high == 2


def test_releases(measure):
    rows = [{"tag": f"v{i}", "released_on": d, "is_prerelease": i == 2}
            for i, d in enumerate(("2023-01-10", "2023-03-01", "2023-10-01"))]  # fmt: skip
    assert measure("release_frequency", releases=rows).value == 2
    assert measure("longest_release_gap", releases=rows).value == 214


def test_totals_and_growth(measure):
    counts = [{"day": d, "metric": m, "value": v, "definition": ""}
              for m in ("stars", "downloads_30d") for d, v in (("2022-12-01", 100), ("2023-12-01", 150))]  # fmt: skip
    assert measure("stars", counts=counts).value == 150
    assert measure("downloads", counts=counts).value == 150
    assert measure("stars_growth", counts=counts).value == pytest.approx(0.5)
    assert measure("downloads_growth", counts=counts).value == pytest.approx(0.5)
    open_now = [{"day": "2023-12-01", "metric": "open_issues", "value": 7, "definition": ""}]
    assert measure("open_issues", counts=open_now).value == 7


def test_model_support(measure):
    rows = [{"family": f, "vendor": v, "family_released_on": "2023-06-01", "known_until": "2024-01-01",
             "supported_on": s} for f, v, s in (("A", "x", "2023-06-05"), ("B", "y", "2023-06-11"),
                                                ("C", "y", None))]  # fmt: skip
    people = commits_of(1, day="2023-01-01")
    assert measure("model_families", model_support=rows, contributions=people).value == 2
    assert measure("model_vendors", model_support=rows, contributions=people).value == 2
    assert measure("days_to_support", model_support=rows, contributions=people).value == 10


def test_forks_and_the_truck_factor_are_the_latest_totals(measure):
    counts = [
        {"day": d, "metric": m, "value": v, "definition": ""}
        for m in ("forks", "truck_factor")
        for d, v in (("2023-11-01", 3), ("2023-12-01", 4))
    ]
    assert measure("forks", counts=counts).value == 4
    people = commits_of(*[50] * 4)
    assert measure("truck_factor", counts=counts, contributions=people).value == 4
    assert measure("truck_factor", counts=counts, contributions=commits_of(1)).status == "not_applicable"


def test_benchmark_metrics_are_the_median_of_the_latest_bench(measure):
    days = [("2022-12-01", 9.0), ("2023-11-01", 5.0), ("2023-12-01", 1.5), ("2023-12-01", 2.0)]
    rows = [
        {"day": day, "stack": "s", "version": "1", "figure": figure, "unit": "times trl", "value": value,
         "low": value - 0.5, "high": value + 0.5, "setting": f"{value}", "machine": "m"}
        for figure, factor in (("relative_throughput", 1), ("relative_peak_memory", 0.5))
        for day, value in ((day, factor * ratio) for day, ratio in days)
    ]  # fmt: skip
    people = commits_of(1)
    speed = measure("measured_throughput", benchmarks=rows, contributions=people)
    assert (speed.value, speed.low, speed.high, speed.n) == (1.75, 1.0, 2.5, 2)
    assert speed.reason == "s 1 on m, 1.5; s 1 on m, 2.0; 31 days ago"
    memory = measure("measured_peak_memory", benchmarks=rows, contributions=people)
    assert (memory.value, memory.low, memory.high, memory.n) == (0.875, 0.25, 1.5, 2)
    assert measure("measured_throughput", benchmarks=rows[:1], contributions=people).status == "unavailable"


def test_declared_status_is_the_latest_one_with_its_sentence(measure):
    rows = [
        {"observed_on": "2022-01-01", "declared_status": "active", "evidence": ""},
        {"observed_on": "2023-12-01", "declared_status": "unmaintained", "evidence": "We stop.",
         "evidence_path": "README.md", "evidence_commit": "abc"},
        {"observed_on": "2024-02-01", "declared_status": "active", "evidence": ""},
    ]  # fmt: skip
    measurement = measure("declared_status", repositories=rows)
    assert (measurement.value, measurement.reason) == ("unmaintained", "We stop.")


def test_every_metric_has_a_worked_example():
    examples = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in METRICS if f'measure("{name}"' not in examples] == []


def test_stale_commits_are_unavailable(measure):
    rows = [{**r, "retrieved_at": "2023-12-05"} for r in commits_of(5, day="2023-12-01")]
    measurement = measure("days_since_last_commit", contributions=rows)
    assert (measurement.value, measurement.high) == (4, 31)
    rows = [{**r, "retrieved_at": "2023-10-30"} for r in commits_of(5, day="2023-10-01")]
    for metric in ("days_since_last_commit", "contributors", "active_weeks"):
        measurement = measure(metric, contributions=rows)
        assert (measurement.status, measurement.reason) == (
            "unavailable", "its commits were last collected on 2023-10-30; collect them again")  # fmt: skip


def test_project_age_runs_from_the_first_commit_to_the_day(measure):
    people = commits_of(1, day="2019-01-01") + commits_of(1, day="2023-12-01")
    measurement = measure("project_age", contributions=people)
    assert measurement.value == pytest.approx(5.0, abs=0.001)  # 1,826 days of 365.25


def test_dependents_are_the_latest_total(measure):
    rows = [
        {"metric": "dependents", "day": day, "value": value}
        for day, value in (("2023-06-01", 40), ("2023-12-01", 55), ("2022-01-01", 90))
    ]
    measurement = measure("dependents", counts=rows)
    assert (measurement.value, str(measurement.last_day)) == (55, "2023-12-01")
    assert measure("dependents", counts=rows[2:]).status == "unavailable"
