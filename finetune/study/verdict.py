"""Is fine-tuning worth it? The rule over what prompts and short trainings reached on the same held-out rows.

The best prompt (of any base, with 0 or 5 examples) is compared with the best adapter that was trained on all
rows, by the paired test of `finetune.after.comparison`.

worth it         the adapter is better (p < 0.05)
need more rows   it is better at most by chance, but the curve over 10, 30 and 100 % of the rows rises. N is
                 where a line over the logarithm of the rows passes the best prompt by a margin, at most 100
                 times the rows. The margin is half the width of the interval of the difference.
not worth it     else
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.after.comparison import Scores, compare

CLEAR_P = 0.05
MOST_TIMES = 100
FEW_ROWS = 20


@dataclass(frozen=True)
class Contestant:
    """One way to answer: a model with a prompt or an adapter.

    Attributes:
        model: name of the base.
        name: ``0 examples``, ``5 examples`` or the adapter's.
        rows: how many rows its adapter was trained on; 0 for a prompt.
        scores: its results on the held-out rows, which are the same for all.
    """

    model: str
    name: str
    rows: int
    scores: Scores


@dataclass(frozen=True)
class Verdict:
    """The answer, its reason, and how many rows would be needed (None: no number).

    ``answer`` is ``worth it``, ``not worth it`` or ``need more rows``.
    """

    answer: str
    reason: str
    rows: int | None = None


def judge(contestants: Sequence[Contestant], *, measure: str, is_loss: bool) -> Verdict:
    """Return the verdict.

    Args:
        contestants: at least one prompt and one adapter.
        measure: name of the metric, for the reason.
        is_loss: whether lower values are better.
    """
    sign = -1 if is_loss else 1
    prompts = [one for one in contestants if not one.rows]
    most_rows = max(one.rows for one in contestants)
    adapters = [one for one in contestants if one.rows == most_rows]
    prompt, adapter = (max(group, key=lambda one: sign * one.scores.value) for group in (prompts, adapters))
    comparison = compare(prompt.scores, adapter.scores)
    gain = sign * comparison.difference
    facts = (
        f"{measure} of the best prompt ({prompt.model}, {prompt.name}) is {prompt.scores.value:.3f}, that of "
        f"the best adapter ({adapter.model}, {adapter.rows} rows) is {adapter.scores.value:.3f}; "
        f"p = {comparison.p_value:.3f} ({comparison.test})"
    )
    if gain > 0 and comparison.p_value < CLEAR_P:
        return Verdict("worth it", facts)
    curve = {
        one.rows: sign * one.scores.value for one in contestants if one.rows and one.model == adapter.model
    }
    slope = fit_slope(curve)
    margin = (comparison.high - comparison.low) / 2
    target = sign * prompt.scores.value + margin
    if slope <= 0:
        return Verdict("not worth it", f"{facts}; more rows did not help: the curve is flat")
    times = math.exp(min((target - curve[adapter.rows]) / slope, math.log(MOST_TIMES) + 1))
    if times > MOST_TIMES:
        return Verdict("not worth it", f"{facts}; more than {MOST_TIMES} times the rows would be needed")
    rows = round_up(max(times, 1.0) * adapter.rows)
    return Verdict("need more rows", f"{facts}; the curve rises", rows)


def fit_slope(curve: Mapping[int, float]) -> float:
    """Return the slope of the line over the logarithm of the rows, by least squares; 0 for one point."""
    points = [(math.log(rows), value) for rows, value in curve.items()]
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def round_up(rows: float) -> int:
    """Return the number with two digits that are not 0, as it is a rough one."""
    size = int(10 ** max(0, math.floor(math.log10(rows)) - 1))
    return math.ceil(round(rows / size, 9)) * size
