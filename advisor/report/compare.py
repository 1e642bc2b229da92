"""Two candidates side by side as text, Markdown or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import assert_never

from advisor.answers.compare import Comparison
from advisor.model import MetricScore, Ranked
from advisor.report.formats import ComparisonFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import escape_markdown, markdown_table, text_table
from advisor.report.values import VERDICTS, metric_title_with_label, show

_CLOSE = 0.005  # utilities that differ by less count as equal

LEGEND = (
    "criteria: score 0 to 100, higher is healthier. weight: share of all weights.",
    "?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.",
)


def render(comparison: Comparison, output_format: ComparisonFormat) -> str:
    """Return the comparison in a format."""
    match output_format:
        case Format.table:
            return _text(comparison)
        case Format.markdown:
            return _markdown(comparison)
        case Format.json:
            return write_json(asdict(comparison))
        case _:
            assert_never(output_format)


def _text(comparison: Comparison) -> str:
    parts = [
        _heading(comparison),
        "\n".join(text_table(*_criteria(comparison))),
        "\n".join(text_table(*_metrics(comparison))),
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
        f"{r.candidate.name} scores {r.score or 0:.0f} (possible: {r.low:.0f} to {r.high:.0f})"
        for r in (comparison.first, comparison.second)
    )
    return f"goal {comparison.goal}, as of {comparison.as_of}: {scores}"


def _criteria(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = [
        [a.criterion, f"{comparison.weights.get(a.criterion, 0):.0%}", _points(a.utility), _points(b.utility),
         _better(comparison, a.utility, b.utility)]
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
            rows.append([metric_title_with_label(m.metric), show(m), show(other), ""])
    return ["metric", *_names(comparison), "better"], rows


def _metric(comparison: Comparison, a: MetricScore, b: MetricScore) -> list[str]:
    values = [show(r.measurement(a.metric)) for r in (comparison.first, comparison.second)]
    return [metric_title_with_label(a.metric), *values, _better(comparison, a.utility, b.utility)]


def _better(comparison: Comparison, a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return "?"
    if abs(a - b) < _CLOSE:
        return "equal"
    return comparison.first.candidate.name if a > b else comparison.second.candidate.name


def _points(utility: float | None) -> str:
    return "?" if utility is None else f"{100 * utility:.0f}"


def _names(comparison: Comparison) -> list[str]:
    return [comparison.first.candidate.name, comparison.second.candidate.name]


def _flips(comparison: Comparison) -> list[str]:
    return [f.text for f in comparison.flips] or ["no change of a single weight or a single value"]


def _findings(comparison: Comparison) -> list[str]:
    def lines(r: Ranked) -> list[str]:
        return [f"{r.candidate.name}: {VERDICTS[f.verdict]}: {f.text}" for f in r.findings]

    return lines(comparison.first) + lines(comparison.second) or ["none"]
