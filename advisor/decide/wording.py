"""Weights and values in words, rounded as people speak."""

from __future__ import annotations

import math

_PARTIAL = ("days", "vendors")  # units of which a part can be said
_MANY = ("three", "four", "five", "six", "seven", "eight", "nine")
_TIMES = ("", "", "twice", *(f"{n} times" for n in _MANY))
_PARTS = ((1 / 2, "half"), (1 / 3, "a third"), (1 / 4, "a quarter"), (1 / 10, "a tenth"))


def describe_weight(title: str, now: float, then: float) -> str:
    """Return how much more or less a criterion would matter: ``adoption mattered five times as much``.

    Args:
        title: the criterion in the middle of a sentence.
        now: its share of all weights.
        then: another share, in whole per cents.
    """
    if round(100 * now) == round(100 * then):
        return f"{title} mattered slightly {'more' if then > now else 'less'}"
    if now == 0:
        return f"{title} had {then:.0%} of the weight instead of none"
    shares = f"({then:.0%} of the weight instead of {now:.0%})"
    return f"{title} {_compare(then / now)} {shares}"


def _compare(ratio: float) -> str:
    if ratio == 0:
        return "did not matter"
    if ratio >= 9.95:
        return "mattered at least ten times as much"
    if ratio >= 1.95:
        is_whole = abs(ratio - round(ratio)) < 0.05
        return f"mattered {'' if is_whole else 'more than '}{_TIMES[int(ratio + 0.05)]} as much"
    if ratio > 0.5:
        tens = max(10, 10 * round(10 * abs(ratio - 1)))
        return f"mattered about {tens}% {'more' if ratio > 1 else 'less'}"
    part = next(name for limit, name in reversed(_PARTS) if ratio <= limit)
    return f"mattered less than {part} as much"


def round_beyond(value: float, unit: str, *, up: bool) -> float:
    """Return the next number that people would say, away from where the value came from.

    Shares have whole per cents; counts, and days from 2 on, are whole; no number has more than two digits.
    """
    if unit == "share":
        step = 0.01
    else:
        size = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.1
        is_part = unit in _PARTIAL and abs(value) < 2
        step = size if is_part or unit in ("ratio", "times trl") else max(1.0, size)
    steps = value / step
    whole = math.ceil(steps - 1e-9) if up else math.floor(steps + 1e-9)
    return float(f"{whole * step:.12g}")


def speak_number(value: float, unit: str) -> str:
    """Return a number as people say it: ``82%``, ``6.7 million``, ``1,600``, ``2.1``."""
    if unit == "share":
        return f"{value:.0%}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2g} million" if abs(value) < 1e8 else f"{value / 1e6:,.0f} million"
    if abs(value) >= 1000:
        digits = 10 ** (math.floor(math.log10(abs(value))) - 1)
        return f"{round(value / digits) * digits:,.0f}"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.2g}"
