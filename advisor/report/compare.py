"""Two candidates side by side as text, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from advisor.answers.compare import Comparison
from advisor.model import MetricScore, Ranked
from advisor.report import show
from advisor.report.json import plain
from advisor.report.markdown import _table as markdown_table
from advisor.report.text import table as text_table

_CLOSE = 0.005  # utilities that differ by less are level


def text(found: Comparison) -> str:
    """Criteria and metrics, then what would turn the order round."""
    parts = [
        f"{_heading(found)}",
        "\n".join(text_table(*_criteria(found))),
        "\n".join(text_table(*_metrics(found))),
        "\n".join(["what would turn the order round:", *(f"  - {t}" for t in _flips(found))]),
        "\n".join(["rules:", *(f"  - {t}" for t in _findings(found))]),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(found: Comparison) -> str:
    """The same as Markdown."""
    parts = [
        f"# {found.first.candidate.name} and {found.second.candidate.name}",
        _heading(found),
        markdown_table(*_criteria(found)),
        markdown_table(*_metrics(found)),
        "## What would turn the order round",
        "\n".join(f"- {t}" for t in _flips(found)),
        "## Rules",
        "\n".join(f"- {t}" for t in _findings(found)),
    ]
    return "\n\n".join(parts) + "\n"


def to_json(found: Comparison) -> str:
    """Everything."""
    return json.dumps(plain(asdict(found)), indent=1, ensure_ascii=False) + "\n"


RENDER: Mapping[str, Callable[[Comparison], str]] = {"table": text, "markdown": markdown, "json": to_json}


def _heading(found: Comparison) -> str:
    a, b = found.first, found.second
    return (
        f"goal {found.goal}, as of {found.as_of}: {a.candidate.name} {a.score or 0:.0f} "
        f"({a.low:.0f}–{a.high:.0f}), {b.candidate.name} {b.score or 0:.0f} ({b.low:.0f}–{b.high:.0f})"
    )


def _criteria(found: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = [
        [a.criterion, f"{found.weights.get(a.criterion, 0):.0%}", _points(a.utility), _points(b.utility),
         _better(found, a.utility, b.utility)]
        for a, b in zip(found.first.criteria, found.second.criteria, strict=True)
    ]  # fmt: skip
    return ["criterion", "weight", *_names(found), "better"], rows


def _metrics(found: Comparison) -> tuple[list[str], list[list[str]]]:
    rows = []
    for a, b in zip(found.first.criteria, found.second.criteria, strict=True):
        for mine, theirs in zip(a.metrics, b.metrics, strict=True):
            rows.append(_metric(found, mine, theirs))
    scored = {row[0] for row in rows}
    for m in found.first.measurements:
        if m.metric not in scored:
            rows.append([m.metric, show(m), show(found.second.measurement(m.metric)), ""])
    return ["metric", *_names(found), "better"], rows


def _metric(found: Comparison, a: MetricScore, b: MetricScore) -> list[str]:
    shown = [show(r.measurement(a.metric)) for r in (found.first, found.second)]
    return [a.metric, *shown, _better(found, a.utility, b.utility)]


def _better(found: Comparison, a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return "?"
    if abs(a - b) < _CLOSE:
        return "level"
    return found.first.candidate.name if a > b else found.second.candidate.name


def _points(utility: float | None) -> str:
    return "?" if utility is None else f"{100 * utility:.0f}"


def _names(found: Comparison) -> list[str]:
    return [found.first.candidate.name, found.second.candidate.name]


def _flips(found: Comparison) -> list[str]:
    return [f.text for f in found.flips] or ["no change of a single weight or a single value"]


def _findings(found: Comparison) -> list[str]:
    def of(ranked: Ranked) -> list[str]:
        return [f"{ranked.candidate.name}: {f.verdict}: {f.text}" for f in ranked.findings]

    return of(found.first) + of(found.second) or ["none fired"]
