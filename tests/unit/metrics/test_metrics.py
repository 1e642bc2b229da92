"""Worked examples, computed by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from advisor.metrics import METRICS

AS_OF = date(2024, 1, 1)


def by_people(*commits, day="2023-12-01", organisations=()):
    known = dict(enumerate(organisations))
    return [
        {"day": day, "author": i, "organisation": known.get(i), "is_bot": False, "commits": n}
        for i, n in enumerate(commits)
    ]


VECTOR = (1000, 202, 90, 33, 332, 343, 42, 433)


def test_contributor_absence_factor_of_the_chaoss_vector_is_2(one):
    assert one("contributor_absence_factor", contributions=by_people(*VECTOR)).value == 2


def test_contributor_absence_factor_is_gated_by_activity(one):
    found = one("contributor_absence_factor", contributions=by_people(1, 1, 1))
    assert (found.status, found.n) == ("not_applicable", 3)
    assert "only 3 commits" in found.reason


def test_elephant_factor_of_the_chaoss_vectors(one):
    eight = by_people(*VECTOR, organisations=[f"o{i}" for i in range(8)])
    assert one("elephant_factor", contributions=eight).value == 2
    five = by_people(1, 2, 3, 4, 100, organisations=[f"o{i}" for i in range(5)])
    assert one("elephant_factor", contributions=five).value == 1


def test_elephant_factor_ranges_over_the_unknown(one):
    # 40 known of one organisation, 6 people with 10 commits each and none.
    found = one("elephant_factor", contributions=by_people(40, 10, 10, 10, 10, 10, 10, organisations=["x"]))
    assert (found.low, found.value, found.high) == (1, 1, 2)
    assert found.evidence_share == pytest.approx(0.4)


def test_trend_is_the_ratio_of_two_years(one):
    rows = by_people(30) + by_people(60, day="2022-12-01") + by_people(1, day="2021-01-01")
    found = one("trend", contributions=rows)
    assert found.value == 0.5
    assert found.low < 0.5 < found.high


def test_top_contributor_share_with_wilson_bounds(one):
    found = one("top_contributor_share", contributions=by_people(50, 50))
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (0.5, 0.4038, 0.5962)


def test_issues_closed_share_point_and_interval(one):
    counts = [{"day": "2023-12-01", "metric": m, "value": v, "definition": ""}
              for m, v in (("open_issues", 10), ("closed_issues", 90))]  # fmt: skip
    found = one("issues_closed_share", counts=counts)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.9, 0.826, 0.945)


def test_issues_closed_share_of_a_derived_total_keeps_its_bounds(one):
    counts = [{"day": "2023-12-01", "metric": "open_issues", "value": 20, "definition": ""},
              {"day": "2023-12-01", "metric": "issues_total", "value": 100, "low": 80, "high": 160,
               "definition": ""}]  # fmt: skip
    found = one("issues_closed_share", counts=counts)
    assert (found.low, found.value, found.high) == (0.75, 0.8, 0.875)


def test_issues_closed_share_without_the_closed_ones_is_unavailable(one):
    counts = [{"day": "2023-12-01", "metric": "open_issues", "value": 20, "definition": ""}]
    assert one("issues_closed_share", counts=counts).status == "unavailable"


def kaplan_meier_median(spans):
    survival = 1.0
    for t in sorted({d for d, happened in spans if happened}):
        at_risk = sum(d >= t for d, _ in spans)
        survival *= 1 - sum(d == t and happened for d, happened in spans) / at_risk
        if survival <= 0.5 + 1e-12:
            return t
    return None


def test_change_requests_duration_is_the_kaplan_meier_median(one):
    spans = [(1, True), (2, True), (2, False), (5, True), (8, True), (9, False), (12, True)]
    opened = date(2023, 10, 1)
    threads = [
        {"kind": "change_request", "number": i, "opened_at": f"{opened} 00:00:00", "is_bot": False,
         "merged_at" if happened else "closed_at": f"{opened + timedelta(days=d)} 00:00:00"}
        for i, (d, happened) in enumerate(spans)
    ]  # fmt: skip
    found = one("change_requests_duration", threads=threads)
    assert found.value == kaplan_meier_median(spans) == 8
    assert found.low <= 8 <= found.high


def threads_with(kind, event, spans, **other):
    opened = date(2023, 10, 1)
    return [
        {"kind": kind, "number": i, "opened_at": f"{opened} 00:00:00", "is_bot": False, **other,
         event if happened else "closed_at": f"{opened + timedelta(days=d)} 00:00:00"}
        for i, (d, happened) in enumerate(spans)
    ]  # fmt: skip


ANSWERED = [(1, True), (3, False), (4, True), (6, True), (7, False), (9, True)]


def test_issue_responses_are_timed_and_the_unanswered_are_censored(one):
    threads = threads_with("issue", "first_response_at", ANSWERED, responses_seen=True)
    assert one("issue_response_time", threads=threads).value == kaplan_meier_median(ANSWERED) == 6
    unseen = {**threads[0], "number": 99, "responses_seen": None, "first_response_at": None}
    found = one("issue_response_time", threads=[*threads, unseen, {**unseen, "number": 100, "is_bot": True}])
    assert (found.value, found.n, found.evidence_share) == (6, 6, pytest.approx(6 / 7))
    only = one("issue_response_time", threads=[unseen])
    assert only.status == "unavailable", "nobody looked: not the same as no answer"


def test_change_request_responses_are_timed(one):
    threads = threads_with("change_request", "first_response_at", ANSWERED, responses_seen=True)
    assert one("time_to_first_response", threads=threads).value == 6
    assert one("issue_response_time", threads=threads).status == "unavailable"


def test_issue_resolution_counts_the_open_ones(one):
    spans = [(2, True), (5, True), (10, True), (20, True)]
    still_open = [{"kind": "issue", "number": 50 + i, "opened_at": "2023-12-30 00:00:00", "is_bot": False}
                  for i in range(3)]  # fmt: skip
    threads = threads_with("issue", "closed_at", spans) + still_open
    assert one("issue_resolution_duration", threads=threads).value == 10
    naive = sorted(d for d, _ in spans)[1:3]
    assert sum(naive) / 2 < 10, "the median of the closed ones alone is too short"
    none_closed = one("issue_resolution_duration", threads=still_open)
    assert (none_closed.status, none_closed.reason) == ("not_applicable", "fewer than half were closed")


def test_change_request_ratios(one):
    threads = [
        {"kind": "change_request", "number": i, "opened_at": "2023-10-01 00:00:00", "is_bot": False,
         "merged_at": "2023-10-05 00:00:00" if i < 6 else None,
         "closed_at": "2023-10-05 00:00:00" if i < 8 else None}
        for i in range(10)
    ]  # fmt: skip
    assert one("change_request_acceptance_ratio", threads=threads).value == 0.6
    assert one("change_request_closure_ratio", threads=threads).value == 0.8


def test_contributors_new_and_inactive(one):
    old, past, now = (by_people(1, 1, 1, 1, day=d) for d in ("2021-06-01", "2022-12-01", "2023-12-01"))
    rows = [*old[:1], *past[1:3], *now[2:]]
    assert one("contributors", contributions=rows).value == 2
    assert one("new_contributors", contributions=rows).value == 1
    assert one("inactive_contributors", contributions=rows).value == 1
    assert one("code_changes_commits", contributions=rows).value == 2
    assert one("days_since_last_commit", contributions=rows).value == 31
    assert one("active_weeks", contributions=rows).value == 1
    assert one("organizational_diversity", contributions=rows).high == 2


def test_releases(one):
    rows = [{"tag": f"v{i}", "released_on": d, "is_prerelease": i == 2}
            for i, d in enumerate(("2023-01-10", "2023-03-01", "2023-10-01"))]  # fmt: skip
    assert one("release_frequency", releases=rows).value == 2
    assert one("longest_release_gap", releases=rows).value == 214


def test_totals_and_growth(one):
    counts = [{"day": d, "metric": m, "value": v, "definition": ""}
              for m in ("stars", "downloads_30d") for d, v in (("2022-12-01", 100), ("2023-12-01", 150))]  # fmt: skip
    assert one("stars", counts=counts).value == 150
    assert one("downloads", counts=counts).value == 150
    assert one("stars_growth", counts=counts).value == pytest.approx(0.5)
    assert one("downloads_growth", counts=counts).value == pytest.approx(0.5)
    open_now = [{"day": "2023-12-01", "metric": "open_issues", "value": 7, "definition": ""}]
    assert one("open_issues", counts=open_now).value == 7


def test_model_support(one):
    rows = [{"family": f, "vendor": v, "family_released_on": "2023-06-01", "known_until": "2024-01-01",
             "supported_on": s} for f, v, s in (("A", "x", "2023-06-05"), ("B", "y", "2023-06-11"),
                                                ("C", "y", None))]  # fmt: skip
    people = by_people(1, day="2023-01-01")
    assert one("model_families", model_support=rows, contributions=people).value == 2
    assert one("model_vendors", model_support=rows, contributions=people).value == 2
    assert one("days_to_support", model_support=rows, contributions=people).value == 10


def test_forks_and_the_truck_factor_are_the_latest_totals(one):
    counts = [
        {"day": d, "metric": m, "value": v, "definition": ""}
        for m in ("forks", "truck_factor")
        for d, v in (("2023-11-01", 3), ("2023-12-01", 4))
    ]
    assert one("forks", counts=counts).value == 4
    people = by_people(*[50] * 4)
    assert one("truck_factor", counts=counts, contributions=people).value == 4
    assert one("truck_factor", counts=counts, contributions=by_people(1)).status == "not_applicable"


def test_what_was_measured_on_a_machine_is_the_median_of_its_last_day(one):
    days = [("2022-12-01", 9.0), ("2023-11-01", 5.0), ("2023-12-01", 1.5), ("2023-12-01", 2.0)]
    rows = [
        {"day": day, "stack": "s", "version": "1", "figure": figure, "unit": "times trl", "value": value,
         "low": value - 0.5, "high": value + 0.5, "setting": f"{value}", "machine": "m"}
        for figure, by in (("relative_throughput", 1), ("relative_peak_memory", 0.5))
        for day, value in ((day, by * of_trl) for day, of_trl in days)
    ]  # fmt: skip
    people = by_people(1)
    speed = one("measured_throughput", benchmarks=rows, contributions=people)
    assert (speed.value, speed.low, speed.high, speed.n) == (1.75, 1.0, 2.5, 2)
    assert speed.reason == "s 1 on m, 1.5; s 1 on m, 2.0; 31 days ago"
    memory = one("measured_peak_memory", benchmarks=rows, contributions=people)
    assert (memory.value, memory.low, memory.high, memory.n) == (0.875, 0.25, 1.5, 2)
    assert one("measured_throughput", benchmarks=rows[:1], contributions=people).status == "unavailable"


def test_declared_status_is_the_last_word_with_its_sentence(one):
    rows = [
        {"observed_on": "2022-01-01", "declared_status": "active", "evidence": ""},
        {"observed_on": "2023-12-01", "declared_status": "unmaintained", "evidence": "We stop.",
         "evidence_path": "README.md", "evidence_commit": "abc"},
        {"observed_on": "2024-02-01", "declared_status": "active", "evidence": ""},
    ]  # fmt: skip
    found = one("declared_status", repositories=rows)
    assert (found.value, found.reason) == ("unmaintained", "We stop.")


def test_every_metric_has_a_worked_example():
    examples = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in METRICS if f'one("{name}"' not in examples] == []


def test_a_history_that_was_read_too_long_ago_says_nothing(one):
    rows = [{**r, "retrieved_at": "2023-12-05"} for r in by_people(5, day="2023-12-01")]
    found = one("days_since_last_commit", contributions=rows)
    assert (found.value, found.high) == (4, 31)
    rows = [{**r, "retrieved_at": "2023-10-30"} for r in by_people(5, day="2023-10-01")]
    for metric in ("days_since_last_commit", "contributors", "active_weeks"):
        found = one(metric, contributions=rows)
        assert (found.status, found.reason) == (
            "unavailable", "its contributions were last read on 2023-10-30; collect it again")  # fmt: skip
