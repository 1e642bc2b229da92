"""Values of measurements and outlooks as short texts, and the metrics at the top of each report."""

from __future__ import annotations

from advisor.measure.definitions import DEFINITIONS
from advisor.model import CriterionScore, Measurement, Outlook, Ranked, Recommendation

# The metrics that a report shows for each criterion.
HEADLINES = {
    "contributors": ("contributors", "contributor_absence_factor"),
    "issues": ("issues_closed_share", "change_request_acceptance_ratio"),
    "backing": ("elephant_factor", "organizational_diversity"),
    "models": ("model_families", "timely_support"),
    "activity": ("code_changes_commits", "trend"),
    "adoption": ("downloads", "stars"),
    "momentum": ("stars_growth", "newcomer_share"),
    "outlook": (),  # the last rows have the outlook of both horizons
    "speed": ("measured_throughput",),
    "memory": ("measured_peak_memory",),
    "documentation": ("recipe_coverage", "docstring_share"),
    "stability": ("api_retention",),
    "weight": ("install_packages", "install_size"),
    "task": ("recipe_steps",),
}

# How sure a choice is, in words; `describe_kind` gives the keys.
CONFIDENCE = {
    "clear": "a clear choice",
    "leaning": "leaning, not clear",
    "tie": "a tie, decided by the default",
    "undecided": "a tie; it has the highest score",
    "only": "no comparison: it is the only candidate left",
    "none": "every candidate is excluded or has too little data",
}

# How a report introduces a finding, by the verdict of its rule.
VERDICTS = {"exclude": "excluded", "warn": "warning", "prefer": "advantage"}


def describe_kind(answer: Recommendation) -> str:
    """Return the certainty; a tie that no default decides is ``undecided``."""
    is_undecided = answer.certainty == "tie" and (answer.default is None or answer.choice != answer.default)
    return "undecided" if is_undecided else answer.certainty


def show_criterion(candidate: Ranked, criterion: CriterionScore) -> str:
    """Return the points of a criterion; ``~``: not measured, ``?``: and the candidate has no score."""
    if criterion.coverage > 0:
        return f"{100 * criterion.utility:.0f}"
    return "?" if candidate.score is None else f"~{100 * criterion.utility:.0f}"


def criterion_title(criterion: CriterionScore) -> str:
    """Return the name of a criterion for people, in the middle of a sentence."""
    title = criterion.title or criterion.criterion
    return title[:1].lower() + title[1:]


def metric_heading(name: str) -> str:
    """Return the plain name of a metric with its unit, unless the name or the values show it."""
    label, unit = metric_label(name), DEFINITIONS[name].unit if name in DEFINITIONS else ""
    is_shown = unit in {"", "share", "status"} or unit[:3] in label
    return label if is_shown else f"{label} ({unit})"


def metric_title(name: str) -> str:
    """Return the title of a metric in the middle of a sentence."""
    title = DEFINITIONS[name].title if name in DEFINITIONS else name
    return title[:1].lower() + title[1:]


def metric_label(name: str) -> str:
    """Return a short plain name of a metric."""
    return (DEFINITIONS[name].label if name in DEFINITIONS else "") or metric_title(name)


def show(measurement: Measurement) -> str:
    """Return a measurement in a few characters, in its unit; ``?``: not enough data, ``n/a``: no meaning."""
    if measurement.status == "unavailable":
        return "?"
    if measurement.status == "not_applicable" or measurement.value is None:
        return "n/a"
    if isinstance(measurement.value, str):
        return measurement.value
    unit = DEFINITIONS[measurement.metric].unit if measurement.metric in DEFINITIONS else ""
    text = number(measurement.value, unit)
    if measurement.low is not None and measurement.high is not None and measurement.high > measurement.low:
        low, high = number(measurement.low, unit), number(measurement.high, unit)
        if low != high:
            text += f" [{low}–{high}]"
    return text


def number(value: float, unit: str) -> str:
    """Return a number with two or three significant digits; shares in per cent."""
    if unit == "share":
        return f"{value:.0%}"
    if value >= 10_000:  # larger numbers are easier to read in thousands
        return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show_wins(r: Ranked) -> str:
    """Return the share of the weightings that a candidate wins; empty without a rank."""
    if r.rank is None:
        return ""
    return "not drawn" if r.wins is None else f"{r.wins:.0%}"


def show_outlook(outlook: Outlook) -> str:
    """Return the chance of abandonment with its interval; ``?`` if the outlook gives none."""
    if outlook.probability_inactive is None:
        return "?"
    return f"{chance(outlook.probability_inactive)} [{chance(outlook.low)}–{chance(outlook.high)}]"


def show_collapse(outlook: Outlook) -> str:
    """Return the chance of a collapse with its interval; ``?`` if the outlook gives none."""
    if outlook.collapse is None:
        return "?"
    return f"{chance(outlook.collapse)} [{chance(outlook.collapse_low)}–{chance(outlook.collapse_high)}]"


def chance(share: float) -> str:
    """Return a chance in per cent; below 10 % with a tenth, so that small ones are not shown as 0 %."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
