"""The verdict of a probe, on contestants whose figures are made by hand."""

from __future__ import annotations

import math

import pytest

from finetune.after.comparison import average
from finetune.study.verdict import Contestant, fit_slope, judge, round_up

ROWS = 40


def share(count):
    """Scores of which ``count`` of 40 rows are right."""
    return average([1.0] * count + [0.0] * (ROWS - count))


def contestants(prompt, curve):
    prompts = [
        Contestant("base", "0 examples", 0, share(0)),
        Contestant("instruct", "5 examples", 0, share(prompt)),
    ]
    return [
        *prompts,
        *(Contestant("base", f"lora, {rows} rows", rows, share(n)) for rows, n in curve.items()),
    ]


def test_adapter_that_is_clearly_better_is_worth_it():
    verdict = judge(contestants(20, {10: 22, 30: 28, 100: 36}), measure="exact-match", is_loss=False)
    assert (verdict.answer, verdict.rows) == ("worth it", None)
    assert "(instruct, 5 examples) is 0.500" in verdict.reason
    assert "(base, 100 rows) is 0.900; p = 0.000 (exact McNemar)" in verdict.reason


def test_flat_curve_below_the_best_prompt_is_not_worth_it():
    verdict = judge(contestants(30, {10: 20, 30: 20, 100: 20}), measure="exact-match", is_loss=False)
    assert verdict.answer == "not worth it"
    assert verdict.reason.endswith("the curve is flat")


def test_rising_curve_needs_the_rows_where_its_line_passes_the_prompt():
    """The share rises by 0.1 each time the rows are tripled, up to 20 of 40; the prompt has 22 of 40."""
    verdict = judge(contestants(22, {10: 12, 30: 16, 90: 20}), measure="exact-match", is_loss=False)
    assert verdict.answer == "need more rows"
    slope = 0.1 / math.log(3)
    difference = 2 / ROWS
    least = 90 * math.exp(difference / slope)
    assert least < verdict.rows < 90 * math.exp((difference + 0.1) / slope) * 1.1, "the margin adds to it"


def test_rows_far_out_of_reach_are_not_worth_it():
    verdict = judge(contestants(40, {10: 1, 30: 1, 100: 2}), measure="exact-match", is_loss=False)
    assert verdict.answer == "not worth it"
    assert "more than 100 times the rows" in verdict.reason


def test_lower_loss_is_better():
    prompt = Contestant("base", "0 examples", 0, average([2.0 + i / 100 for i in range(20)]))
    adapter = Contestant("base", "lora", 100, average([1.0 + i / 100 for i in range(20)]))
    worse = Contestant("base", "lora", 100, average([3.0 + i / 100 for i in range(20)]))
    assert judge([prompt, adapter], measure="loss", is_loss=True).answer == "worth it"
    assert judge([prompt, worse], measure="loss", is_loss=True).answer == "not worth it"


def test_slope_and_rounding():
    assert fit_slope({10: 0.1, 100: 0.3}) == pytest.approx(0.2 / math.log(10))
    assert fit_slope({10: 0.1}) == 0
    assert [round_up(n) for n in (7, 10, 123, 990.1, 1000)] == [7, 10, 130, 1000, 1000]
