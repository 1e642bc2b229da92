"""Utilities, means and bounds, computed by hand."""

from __future__ import annotations

import math

import pytest

from advisor.decide import utilities
from advisor.domain.domain import Criterion, Scale
from advisor.model import CriterionScore, Measurement, MetricScore


def scale(metric="stars", worst=10.0, best=30.0, weight=1.0, curve="linear"):
    return Scale(metric=metric, weight=weight, worst=worst, best=best, curve=curve, source="by hand")


def measurement(value, low=None, high=None, metric="stars"):
    return Measurement("a/b", metric, "measured", value, low, high, 1, 1.0)


def criterion(name, utility, low, high, coverage):
    return CriterionScore(name, utility, low, high, coverage, ())


@pytest.mark.parametrize(
    ("value", "expected"), [(-5, 0), (10, 0), (15, 0.25), (20, 0.5), (30, 1), (1e9, 1)], ids=str
)
def test_a_linear_utility(value, expected):
    assert utilities.utility(scale(), value) == expected
    assert utilities.utility(scale(worst=30, best=10), value) == 1 - expected


@pytest.mark.parametrize(("value", "expected"), [(-7, 0), (0, 0), (1, 1 / 3), (3, 2 / 3), (7, 1), (99, 1)])
def test_a_utility_by_factors(value, expected):
    assert utilities.utility(scale(worst=0, best=7, curve="log"), value) == pytest.approx(expected)


def test_a_linear_scale_may_go_below_zero():
    assert utilities.utility(scale(worst=-10, best=10), -5) == 0.25


def test_a_value_with_its_bounds():
    result = utilities.score_metric(scale(weight=3.0), measurement(20, 15, 25))
    assert result == MetricScore("stars", 3.0, 0.5, 0.25, 0.75)


def test_less_is_better_and_the_bounds_keep_their_order():
    result = utilities.score_metric(scale(worst=30, best=10), measurement(20, 15, 30))
    assert (result.low, result.utility, result.high) == (0, 0.5, 0.75)


def test_a_missing_bound_equals_the_value():
    assert utilities.score_metric(scale(), measurement(20)) == MetricScore("stars", 1.0, 0.5, 0.5, 0.5)
    assert utilities.score_metric(scale(), measurement(20, low=15)) == MetricScore(
        "stars", 1.0, 0.5, 0.25, 0.5
    )
    assert utilities.score_metric(scale(), measurement(20, high=25)) == MetricScore(
        "stars", 1.0, 0.5, 0.5, 0.75
    )


@pytest.mark.parametrize("nothing", [None, measurement(None), measurement("archived")], ids=str)
def test_without_a_number_the_utility_is_from_0_to_1(nothing):
    assert utilities.score_metric(scale(weight=2.0), nothing) == MetricScore("stars", 2.0, None, 0.0, 1.0)


def test_a_criterion_with_one_of_three_metrics_missing():
    activity = Criterion(
        name="activity",
        title="Activity",
        scales=(scale("stars", weight=1.0), scale("forks", weight=3.0), scale("commits", weight=4.0)),
    )
    result = utilities.score_criterion(
        activity, {"stars": measurement(20, 15, 25), "forks": measurement(30, 25, 30, metric="forks")}
    )
    assert result.criterion == "activity"
    assert result.utility == (1 * 0.5 + 3 * 1.0) / 4
    assert result.low == (1 * 0.25 + 3 * 0.75 + 4 * 0) / 8
    assert result.high == (1 * 0.75 + 3 * 1 + 4 * 1) / 8
    assert result.coverage == 0.5
    assert [m.metric for m in result.metrics] == ["stars", "forks", "commits"]
    assert result.metrics[0] == MetricScore("stars", 1.0, 0.5, 0.25, 0.75)


def test_a_criterion_without_measurements():
    result = utilities.score_criterion(Criterion(name="a", title="A", scales=(scale(),)), {})
    assert (result.utility, result.low, result.high, result.coverage) == (None, 0.0, 1.0, 0.0)
    worst = utilities.score_criterion(
        Criterion(name="a", title="A", scales=(scale(),)), {"stars": measurement(10)}
    )
    assert (worst.utility, worst.low, worst.high, worst.coverage) == (0.0, 0.0, 0.0, 1.0)


def test_a_total_score_by_hand():
    parts = [criterion("a", 0.5, 0.25, 0.75, 1.0), criterion("b", 1.0, 0.5, 1.0, 0.5)]
    point, low, high, coverage = utilities.total_score(parts, {"a": 1.0, "b": 3.0})
    assert (point, low, high, coverage) == (87.5, 43.75, 93.75, 0.625)


def test_a_total_score_ignores_unknown_criteria_and_those_without_weight():
    parts = [
        criterion("a", 0.5, 0.25, 0.75, 1.0),
        criterion("b", None, 0.0, 1.0, 0.0),
        criterion("c", 0, 0, 0, 1),
    ]
    point, low, high, coverage = utilities.total_score(parts, {"a": 1.0, "b": 1.0})
    assert (point, low, high, coverage) == (50.0, 12.5, 87.5, 0.5)


def test_a_total_score_without_measurements_is_from_0_to_100():
    unknown = criterion("a", None, 0.0, 1.0, 0.0)
    assert utilities.total_score([unknown], {"a": 1.0}) == (None, 0.0, 100.0, 0.0)
    assert utilities.total_score([criterion("a", 0.5, 0.5, 0.5, 1.0)], {"b": 1.0}) == (None, 0.0, 100.0, 0.0)
    assert utilities.total_score([], {}) == (None, 0.0, 100.0, 0.0)


def test_a_small_weight_counts():
    assert utilities.total_score([criterion("a", 0.5, 0.5, 0.5, 1.0)], {"a": 1e-3})[0] == pytest.approx(50)
    assert math.isclose(utilities._mean([(0.5, 0.2), (0.5, 0.4)]), 0.3)
