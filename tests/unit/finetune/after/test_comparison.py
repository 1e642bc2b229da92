"""Intervals and tests, against values from tables and worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from finetune.after.comparison import Scores, average, compare, divide, find_interval, find_mcnemar_p


def test_exact_mcnemar_is_the_binomial_test_of_the_rows_that_differ():
    assert find_mcnemar_p(1, 9) == pytest.approx(2 * (1 + 10) / 1024)
    assert find_mcnemar_p(9, 1) == find_mcnemar_p(1, 9)
    assert find_mcnemar_p(0, 5) == pytest.approx(0.0625), "five wins of five are not enough for 0.05"
    assert find_mcnemar_p(0, 0) == find_mcnemar_p(4, 4) == 1


def test_interval_of_a_share_has_the_width_of_the_normal_approximation():
    low, high = find_interval(average([1.0, 0.0] * 500))
    assert low == pytest.approx(0.5 - 1.96 * math.sqrt(0.25 / 1000), abs=0.005)
    assert high == pytest.approx(0.5 + 1.96 * math.sqrt(0.25 / 1000), abs=0.005)


def test_all_right_or_none_right_still_has_an_interval():
    low, high = find_interval(average([0.0] * 24))
    assert (low, round(high, 3)) == (0, 0.138), "Wilson's interval of 0 of 24"
    low, high = find_interval(average([1.0] * 10))
    assert (round(low, 3), high) == (0.722, 1), "Wilson's interval of 10 of 10"


def test_right_and_wrong_rows_are_compared_by_mcnemar():
    first = average([1.0] + [0.0] * 9 + [1.0] * 5)
    second = average([0.0] + [1.0] * 9 + [1.0] * 5)
    comparison = compare(first, second)
    assert comparison.test == "exact McNemar"
    assert comparison.difference == pytest.approx(8 / 15)
    assert comparison.p_value == pytest.approx(22 / 1024)
    assert 0 < comparison.low < 8 / 15 < comparison.high <= 1


def test_other_scores_are_compared_by_all_permutations_of_few_rows():
    """Differences 0.1, 0.2, 0.3: of the 8 swaps only none and all have a sum of 0.6."""
    comparison = compare(average([0.5, 0.5, 0.5]), average([0.6, 0.7, 0.8]))
    assert (comparison.test, comparison.p_value) == ("paired permutation", 2 / 8)


def test_many_rows_are_compared_by_random_permutations():
    values = np.linspace(0.1, 0.9, 40)
    assert compare(average(list(values)), average(list(values + 0.05))).p_value == pytest.approx(1 / 10_001)
    alternating = values + np.where(np.arange(40) % 2, 0.05, -0.05)
    assert compare(average(list(values)), average(list(alternating))).p_value > 0.9


def test_ratio_of_sums_that_says_nothing_is_not_a_number():
    scores = Scores(np.zeros((3, 2)), lambda sums: divide(sums[..., 0], sums[..., 1]))
    assert math.isnan(scores.value)
    assert all(math.isnan(bound) for bound in find_interval(scores))
