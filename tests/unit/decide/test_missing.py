"""What is expected of a missing metric, given the known ones: worked out by hand for two and three metrics."""

from __future__ import annotations

import math
from datetime import date
from statistics import NormalDist

import pytest

from advisor.decide import missing
from advisor.decide.missing import Predictor, age_in_days, bundled_predictor, known_values
from advisor.domain.domain import available_domains, load_domain
from advisor.domain.joint_distribution import POINTS, JointDistribution
from advisor.model import Measurement

KNOTS = (-2.0, -1.0, 0.0, 1.0, 2.0)
ZS = tuple(NormalDist().inv_cdf((i + 0.5) / POINTS) for i in range(POINTS))


def joint(correlation=0.8, **more):
    """Stars 0 to 40 and forks 100 to 500 at -2 to 2 standard deviations."""
    metrics = {
        "stars": {"mean": 0.0, "values": (0.0, 10.0, 20.0, 30.0, 40.0)},
        "forks": {"mean": 0.0, "values": (100.0, 200.0, 300.0, 400.0, 500.0)},
        **more.get("metrics", {}),
    }
    covariance = more.get("covariance", ((1.0, correlation), (correlation, 1.0)))
    return JointDistribution.model_validate(
        {"about": {}, "knots": KNOTS, "points": ZS, "metrics": metrics, "covariance": covariance}
    )


def test_a_known_metric_moves_and_narrows_the_values_of_a_missing_one():
    values = Predictor(joint()).likely_values("stars", {"forks": 400.0})
    # One deviation above the mean: 0.8 deviations, and the root of 1 - 0.64 remains.
    expected = [20 + 10 * max(-2, min(2, 0.8 + 0.6 * z)) for z in ZS]
    assert values == pytest.approx(expected)
    assert values == sorted(values)
    alone = Predictor(joint()).likely_values("stars", {})
    assert alone == pytest.approx([20 + 10 * max(-2, min(2, z)) for z in ZS])


def test_values_beyond_the_population_count_as_its_ends():
    predictor = Predictor(joint())
    ends = predictor.likely_values("stars", {"forks": 1e9}), predictor.likely_values("stars", {"forks": -5.0})
    assert ends == (
        predictor.likely_values("stars", {"forks": 500.0}), predictor.likely_values("stars", {"forks": 100.0}),
    )  # fmt: skip
    assert max(ends[0]) == 40.0


def test_a_value_of_many_libraries_stands_in_the_middle_of_them():
    flat = {"flat": {"mean": 0.5, "values": (1.0, 1.0, 1.0, 2.0, 3.0)}}
    covariance = ((1.0, 0.0, 0.5), (0.0, 1.0, 0.0), (0.5, 0.0, 1.0))
    predictor = Predictor(joint(metrics=flat, covariance=covariance))
    # The value 1 is at -2, -1 and 0, so at -1: 1.5 under its mean of 0.5.
    values = predictor.likely_values("stars", {"flat": 1.0})
    rest = math.sqrt(1 - 0.5**2)
    assert values == pytest.approx([20 + 10 * max(-2, min(2, -0.75 + rest * z)) for z in ZS])


def test_two_known_metrics_count_together():
    third = {"issues": {"mean": 0.0, "values": (0.0, 1.0, 2.0, 3.0, 4.0)}}
    covariance = ((1.0, 0.6, 0.6), (0.6, 1.0, 0.2), (0.6, 0.2, 1.0))
    predictor = Predictor(joint(metrics=third, covariance=covariance))
    gains, deviation = predictor._line(("forks", "issues"), "stars")
    assert gains == pytest.approx([0.5, 0.5])  # (0.6 - 0.6 * 0.2) / (1 - 0.2 * 0.2)
    assert deviation == pytest.approx(math.sqrt(1 - 0.6))


def test_nothing_is_known_of_another_metric():
    predictor = Predictor(joint())
    assert predictor.likely_values("a metric of my own", {"forks": 300.0}) is None
    assert predictor.likely_values("stars", {"a metric of my own": 3.0}) == predictor.likely_values(
        "stars", {}
    )
    assert predictor.likely_values("stars", {"stars": 39.0}) == predictor.likely_values("stars", {})


def test_the_age_is_the_time_from_the_first_to_the_last_fact():
    def m(metric, first, last):
        return Measurement("a/b", metric, "measured", 1.0, first_day=first, last_day=last)

    measurements = {
        "days_since_last_commit": m("days_since_last_commit", date(2020, 1, 1), date(2024, 1, 1)),
        "stars": m("stars", date(2010, 1, 1), date(2024, 1, 11)),
        "declared_status": Measurement("a/b", "declared_status", "measured", "active"),
    }
    assert age_in_days(measurements) == 1471
    lock = Measurement("o/n", "install_packages", "measured", 5.0, last_day=date(2030, 1, 1))
    assert age_in_days({**measurements, "install_packages": lock}) == 1471, "the day of a reading is no fact"
    assert known_values(measurements) == {"days_since_last_commit": 1.0, "stars": 1.0, "age_days": 1471.0}
    assert age_in_days({"stars": measurements["stars"]}) is None
    assert known_values({}) == {}


def test_the_bundled_distribution_has_the_metrics_of_all_domains():
    predictor = bundled_predictor()
    assert predictor.joint.about["libraries_of_panel"] > 2000
    scales = {
        s.metric
        for name in available_domains()
        for c in load_domain(name).criteria
        if not (c.benched or c.optional)
        for s in c.scales
    }
    # No library of the panel or the snapshots has these, so any value is possible.
    without_data = {"time_to_first_response", "open_advisories", "security_policy", "workflow_safety"}
    assert scales - set(predictor.joint.metrics) <= {"inactive_in_24_months", *without_data}
    for metric in predictor.joint.metrics:
        values = predictor.likely_values(metric, {})
        assert len(values) == POINTS
        assert values == sorted(values)


def test_what_is_known_predicts_as_a_person_would():
    predictor = bundled_predictor()

    def mean(metric, **known):
        return math.fsum(predictor.likely_values(metric, known)) / POINTS

    assert mean("contributors", code_changes_commits=2000.0) > 3 * mean(
        "contributors", code_changes_commits=20.0
    )
    assert mean("downloads", stars=40_000.0) > 3 * mean("downloads", stars=300.0)
    assert mean("days_since_last_commit", active_weeks=52.0) < mean(
        "days_since_last_commit", active_weeks=3.0
    )
    assert mean("stars", age_days=4000.0) > mean("stars", age_days=300.0)


def test_without_its_file_nothing_is_predicted(monkeypatch):
    monkeypatch.setattr(missing, "load_joint_distribution", lambda: None)
    bundled_predictor.cache_clear()
    assert bundled_predictor() is None
    bundled_predictor.cache_clear()
