"""Utilities, means and bounds, computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace

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
    assert result == MetricScore("stars", 3.0, 0.5, 0.5, 0.25, 0.75)


def test_the_expected_utility_is_the_mean_of_the_triangle():
    result = utilities.score_metric(scale(), measurement(15, 10, 30))
    assert result == MetricScore("stars", 1.0, 0.25, (0 + 0.25 + 1) / 3, 0.0, 1.0)


def test_less_is_better_and_the_bounds_keep_their_order():
    result = utilities.score_metric(scale(worst=30, best=10), measurement(20, 15, 30))
    assert (result.low, result.utility, result.high) == (0, 0.5, 0.75)


def test_a_missing_bound_equals_the_value():
    assert utilities.score_metric(scale(), measurement(20)) == MetricScore("stars", 1.0, 0.5, 0.5, 0.5, 0.5)
    assert utilities.score_metric(scale(), measurement(20, low=15)) == MetricScore(
        "stars", 1.0, 0.5, pytest.approx(1.25 / 3), 0.25, 0.5
    )
    assert utilities.score_metric(scale(), measurement(20, high=25)) == MetricScore(
        "stars", 1.0, 0.5, pytest.approx(1.75 / 3), 0.5, 0.75
    )


@pytest.mark.parametrize("nothing", [None, measurement(None), measurement("archived")], ids=str)
def test_without_a_number_and_without_a_predictor_any_utility_is_possible(nothing):
    result = utilities.score_metric(scale(weight=2.0), nothing)
    assert result == MetricScore("stars", 2.0, None, 0.5, 0.0, 1.0)


def test_a_missing_metric_counts_as_what_its_predictor_expects():
    values = [12.0, 14.0, 20.0, 34.0]  # utilities 0.1, 0.2, 0.5 and 1

    class Fixed:
        def likely_values(self, metric, known):
            return values if (metric, known) == ("stars", {"forks": 3.0}) else None

    result = utilities.score_metric(scale(weight=2.0), None, {"forks": 3.0}, Fixed())
    assert result == MetricScore("stars", 2.0, None, pytest.approx(0.45), pytest.approx(0.1), 1.0)
    falling = utilities.score_metric(scale(worst=30, best=10), None, {"forks": 3.0}, Fixed())
    assert (falling.mean, falling.low, falling.high) == pytest.approx((0.55, 0.0, 0.9))


def test_a_criterion_with_one_of_three_metrics_missing():
    activity = Criterion(
        name="activity",
        title="Activity",
        scales=(
            scale("stars", weight=1.0), scale("forks", weight=3.0), scale("a metric of my own", weight=4.0),
        ),
    )  # fmt: skip
    (result,) = utilities.score_criteria(
        [activity], {"stars": measurement(20, 15, 25), "forks": measurement(30, 25, 30, metric="forks")}
    )
    assert result.criterion == "activity"
    # Nothing is known about a metric of one's own, so its mean is 1/2; 25 to 30 with the peak at 30 is 11/12.
    assert result.utility == pytest.approx((1 * 0.5 + 3 * 11 / 12 + 4 * 0.5) / 8)
    assert result.low == (1 * 0.25 + 3 * 0.75 + 4 * 0) / 8
    assert result.high == (1 * 0.75 + 3 * 1 + 4 * 1) / 8
    assert result.coverage == 0.5
    assert [m.metric for m in result.metrics] == ["stars", "forks", "a metric of my own"]
    assert result.metrics[0] == MetricScore("stars", 1.0, 0.5, 0.5, 0.25, 0.75)


def test_a_criterion_without_measurements():
    own = Criterion(name="a", title="A", scales=(scale("a metric of my own"),))
    (result,) = utilities.score_criteria([own], {})
    assert (result.utility, result.low, result.high, result.coverage) == (0.5, 0.0, 1.0, 0.0)
    (worst,) = utilities.score_criteria(
        [Criterion(name="a", title="A", scales=(scale(),))], {"stars": measurement(10)}
    )
    assert (worst.utility, worst.low, worst.high, worst.coverage) == (0.0, 0.0, 0.0, 1.0)


def test_a_total_score_by_hand():
    parts = [criterion("a", 0.5, 0.25, 0.75, 1.0), criterion("b", 1.0, 0.5, 1.0, 0.5)]
    point, low, high, coverage = utilities.total_score(parts, {"a": 1.0, "b": 3.0})
    assert (point, low, high, coverage) == (87.5, 43.75, 93.75, 0.625)


def test_a_total_score_counts_unknown_criteria_and_none_without_weight():
    parts = [
        criterion("a", 0.5, 0.25, 0.75, 1.0),
        criterion("b", 0.25, 0.0, 1.0, 0.0),
        criterion("c", 0, 0, 0, 1),
    ]
    point, low, high, coverage = utilities.total_score(parts, {"a": 1.0, "b": 1.0})
    assert (point, low, high, coverage) == (37.5, 12.5, 87.5, 0.5)


def test_there_is_no_score_if_less_than_half_of_the_weight_is_known():
    parts = [criterion("a", 0.5, 0.25, 0.75, 0.9), criterion("b", 0.25, 0.0, 1.0, 0.0)]
    assert utilities.total_score(parts, {"a": 5.0, "b": 4.0})[0] is not None
    assert utilities.total_score(parts, {"a": 5.0, "b": 4.1}) == (
        None, pytest.approx(100 * 1.25 / 9.1), pytest.approx(100 * 7.85 / 9.1), pytest.approx(4.5 / 9.1),
    )  # fmt: skip


def test_a_benchmark_that_nobody_ran_does_not_count_as_unknown():
    bench = replace(criterion("speed", 0.5, 0.0, 1.0, 0.0), benched=True)
    known = criterion("a", 0.8, 0.8, 0.8, 1.0)
    result = utilities.total_score([known, bench], {"a": 1.0, "speed": 3.0})
    assert result == pytest.approx((57.5, 20.0, 95.0, 0.25))
    assert utilities.total_score([bench], {"speed": 1.0})[0] is None


def test_a_total_score_without_weight_is_from_0_to_100():
    unknown = criterion("a", 0.5, 0.0, 1.0, 0.0)
    assert utilities.total_score([unknown], {"a": 1.0}) == (None, 0.0, 100.0, 0.0)
    assert utilities.total_score([criterion("a", 0.5, 0.5, 0.5, 1.0)], {"b": 1.0}) == (None, 0.0, 100.0, 0.0)
    assert utilities.total_score([], {}) == (None, 0.0, 100.0, 0.0)


def test_a_small_weight_counts():
    assert utilities.total_score([criterion("a", 0.5, 0.5, 0.5, 1.0)], {"a": 1e-3})[0] == pytest.approx(50)
    assert math.isclose(utilities._mean([(0.5, 0.2), (0.5, 0.4)]), 0.3)
