"""Two candidates side by side as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from advisor.answers.compare import Comparison
from advisor.answers.reasons import describe_gap, is_ahead
from advisor.facts.facts_view import FactsView
from advisor.model import CriterionScore, MetricScore, Ranked
from advisor.report.formats import ComparisonFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import PLAIN_WIDTH, escape_markdown, markdown_table, text_table
from advisor.report.values import VERDICTS, criterion_title, metric_heading, show, show_criterion

_CLOSE = 0.005  # utilities that differ by less in all of their bounds count as equal

LEGEND = (
    "criteria: score 0 to 100, higher is healthier. weight: share of all weights.",
    "~: not measured; libraries that are alike otherwise have this on average. not sure: the bounds overlap.",
    "?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.",
)


def render(
    comparison: Comparison,
    output_format: ComparisonFormat,
    width: int = PLAIN_WIDTH,
    views: Sequence[FactsView] = (),
) -> str:
    """Return the comparison in a format.

    Args:
        comparison: the two candidates.
        output_format: how to write it.
        width: columns that a table of plain text may have.
        views: the facts behind it, which JSON names.
    """
    match output_format:
        case Format.table:
            return _text(comparison, width)
        case Format.markdown:
            return _markdown(comparison)
        case Format.json:
            return write_json("comparison", asdict(comparison), views)
        case _:
            assert_never(output_format)


def _text(comparison: Comparison, width: int) -> str:
    parts = [
        _heading(comparison),
        "\n".join(text_table(*_criteria(comparison), width)),
        "\n".join(text_table(*_metrics(comparison), width)),
        "\n".join(["what would reverse the order:", *(f"  - {t}" for t in _flips(comparison))]),
        "\n".join(["rules that apply:", *(f"  - {t}" for t in _findings(comparison))]),
        *(["\n".join(["facts:", *(f"  - {t}" for t in comparison.sources)])] if comparison.sources else []),
        "\n".join(LEGEND),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(comparison: Comparison) -> str:
    parts = [
        f"# {comparison.first.candidate.name} and {comparison.second.candidate.name}",
        _heading(comparison),
        markdown_table(*_criteria(comparison)),
        markdown_table(*_metrics(comparison)),
        "## What would reverse the order",
        "\n".join(f"- {t}" for t in _flips(comparison)),
        "## Rules that apply",
        "\n".join(f"- {t}" for t in _findings(comparison)),
        *(["## Facts", "\n".join(f"- {t}" for t in comparison.sources)] if comparison.sources else []),
        escape_markdown(" ".join(LEGEND)),
    ]
    return "\n\n".join(parts) + "\n"


def _heading(comparison: Comparison) -> str:
    scores = ", ".join(
        f"{r.candidate.name} {_score(r)} (possible: {r.low:.0f} to {r.high:.0f})"
        for r in (comparison.first, comparison.second)
    )
    return f"goal {comparison.goal}, as of {comparison.as_of}: {scores}"


def _score(candidate: Ranked) -> str:
    if candidate.score is None:
        return f"has no score: {describe_gap(candidate)}"
    return f"scores {candidate.score:.0f}"


def _criteria(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = [
        [criterion_title(a), f"{comparison.weights.get(a.criterion, 0):.0%}",
         show_criterion(comparison.first, a), show_criterion(comparison.second, b), _better(comparison, a, b)]
        for a, b in zip(comparison.first.criteria, comparison.second.criteria, strict=True)
    ]  # fmt: skip
    return ["criterion", "weight", *_names(comparison), "better"], rows


def _metrics(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = []
    scored_metrics = set()
    for a, b in zip(comparison.first.criteria, comparison.second.criteria, strict=True):
        for mine, theirs in zip(a.metrics, b.metrics, strict=True):
            rows.append(_metric(comparison, mine, theirs))
            scored_metrics.add(mine.metric)
    for m in comparison.first.measurements:
        if m.metric not in scored_metrics:
            other = comparison.second.measurement(m.metric)
            rows.append([metric_heading(m.metric), show(m), show(other), ""])
    return ["metric", *_names(comparison), "better"], rows


def _metric(comparison: Comparison, a: MetricScore, b: MetricScore) -> list[str]:
    values = [show(r.measurement(a.metric)) for r in (comparison.first, comparison.second)]
    better = "?" if a.utility is None or b.utility is None else _better(comparison, a, b)
    return [metric_heading(a.metric), *values, better]


def _better(comparison: Comparison, a: CriterionScore | MetricScore, b: CriterionScore | MetricScore) -> str:
    """Return who is better: only if the bounds are apart."""
    if max(a.high, b.high) - min(a.low, b.low) < _CLOSE:
        return "equal"
    if is_ahead(a, b) or is_ahead(b, a):
        return (comparison.first if is_ahead(a, b) else comparison.second).candidate.name
    return "not sure"


def _names(comparison: Comparison) -> list[str]:
    return [comparison.first.candidate.name, comparison.second.candidate.name]


def _flips(comparison: Comparison) -> list[str]:
    if comparison.first.score is None or comparison.second.score is None:
        return ["nothing: there is no order without two scores"]
    return [f.text for f in comparison.flips] or ["no change of a single weight or a single value"]


def _findings(comparison: Comparison) -> list[str]:
    def lines(r: Ranked) -> list[str]:
        return [f"{r.candidate.name}: {VERDICTS[f.verdict]}: {f.text}" for f in r.findings]

    return lines(comparison.first) + lines(comparison.second) or ["none"]
