"""Weights and values as people say them."""

from __future__ import annotations

import pytest

from advisor.decide.wording import describe_weight, round_beyond, speak_number


@pytest.mark.parametrize(
    ("now", "then", "text"),
    [
        (0.07, 0.35, "adoption mattered five times as much (35% of the weight instead of 7%)"),
        (0.0714, 0.38, "adoption mattered more than five times as much (38% of the weight instead of 7%)"),
        (0.1, 0.197, "adoption mattered twice as much (20% of the weight instead of 10%)"),
        (0.1, 0.25, "adoption mattered more than twice as much (25% of the weight instead of 10%)"),
        (0.05, 0.4985, "adoption mattered at least ten times as much (50% of the weight instead of 5%)"),
        (0.05, 0.49, "adoption mattered more than nine times as much (49% of the weight instead of 5%)"),
        (0.2, 0.23, "adoption mattered about 10% more (23% of the weight instead of 20%)"),
        (0.2, 0.38, "adoption mattered about 90% more (38% of the weight instead of 20%)"),
        (0.2, 0.14, "adoption mattered about 30% less (14% of the weight instead of 20%)"),
        (0.2, 0.1, "adoption mattered less than half as much (10% of the weight instead of 20%)"),
        (0.3, 0.08, "adoption mattered less than a third as much (8% of the weight instead of 30%)"),
        (0.3, 0.07, "adoption mattered less than a quarter as much (7% of the weight instead of 30%)"),
        (0.3, 0.02, "adoption mattered less than a tenth as much (2% of the weight instead of 30%)"),
        (0.3, 0.0, "adoption did not matter (0% of the weight instead of 30%)"),
        (0.0, 0.12, "adoption had 12% of the weight instead of none"),
        (0.0714, 0.07, "adoption mattered slightly less"),
        (0.068, 0.07, "adoption mattered slightly more"),
    ],
)
def test_a_weight(now, then, text):
    assert describe_weight("adoption", now, then) == text


@pytest.mark.parametrize(
    ("value", "unit", "up", "expected"),
    [
        (0.3965, "share", False, 0.39), (0.3965, "share", True, 0.4), (0.4, "share", True, 0.4),
        (5.26, "organisations", True, 6), (5.26, "organisations", False, 5), (6.0, "people", True, 6),
        (1234, "commits", True, 1300), (1234, "commits", False, 1200),
        (6_712_345, "downloads in 30 days", True, 6_800_000),
        (8.3, "days", True, 9), (0.523, "days", False, 0.52), (18.52, "vendors", True, 19),
        (0.523, "ratio", True, 0.53), (0.0, "people", False, 0), (-0.2, "people", False, -1),
    ],
)  # fmt: skip
def test_the_next_number_that_people_say(value, unit, up, expected):
    assert round_beyond(value, unit, up=up) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.82431, "share", "82%"), (6_712_345, "stars", "6.7 million"), (512_000_000, "stars", "512 million"),
        (10_200_000, "stars", "10 million"), (38_412, "stars", "38,000"), (1642, "commits", "1,600"),
        (177, "people", "177"), (177.4, "people", "177"), (2, "people", "2"), (2.083, "ratio", "2.1"),
        (18.52, "vendors", "19"), (0.526, "days", "0.53"), (0, "people", "0"),
    ],
)  # fmt: skip
def test_a_number(value, unit, text):
    assert speak_number(value, unit) == text
