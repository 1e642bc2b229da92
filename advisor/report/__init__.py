"""Recommendation → str, one file a format; only the command line prints."""

from __future__ import annotations

from advisor.metrics import METRICS
from advisor.model import Measurement, Outlook

# What stands at the top of every report for each criterion, as (label, metric).
HEADLINES = {
    "contributors": ("contributors", "contributor_absence_factor"),
    "issues": ("issues_closed_share", "change_request_acceptance_ratio"),
    "backing": ("elephant_factor", "organizational_diversity"),
    "models": ("model_families", "timely_support"),
    "activity": ("code_changes_commits", "trend"),
    "adoption": ("downloads", "stars"),
    "speed": ("measured_throughput",),
    "memory": ("measured_peak_memory",),
}


def show(measured: Measurement) -> str:
    """A measurement in a few characters: the value in its unit, ``?`` unknown, ``n/a`` no meaning."""
    if measured.status == "unavailable":
        return "?"
    if measured.status == "not_applicable" or measured.value is None:
        return "n/a"
    if isinstance(measured.value, str):
        return measured.value
    unit = METRICS[measured.metric].unit if measured.metric in METRICS else ""
    text = number(measured.value, unit)
    if measured.low is not None and measured.high is not None and measured.high > measured.low:
        low, high = number(measured.low, unit), number(measured.high, unit)
        if low != high:
            text += f" [{low}–{high}]"
    return text


def number(value: float, unit: str) -> str:
    """A number with as many digits as it deserves; shares as per cent."""
    if unit == "share":
        return f"{value:.0%}"
    if value >= 10_000:  # from here on thousands read better
        return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show_outlook(outlook: Outlook) -> str:
    """The chance of inactivity with its interval; ``?`` where the outlook abstains."""
    if outlook.probability_inactive is None:
        return "?"
    return f"{chance(outlook.probability_inactive)} [{chance(outlook.low)}–{chance(outlook.high)}]"


def chance(share: float) -> str:
    """A chance as per cent, small ones not rounded to nothing."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"  # from here on tenths mean nothing
