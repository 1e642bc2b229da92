"""Every number of one candidate with its definition, its evidence and its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import assert_never

from advisor.answers.explain import Evidence, Explanation, Rows
from advisor.facts.facts_view import FactsView
from advisor.measure.definitions import DEFINITIONS
from advisor.model import Benchmark, Candidate, CriterionScore, Direction, Measurement, MetricScore, Ranked
from advisor.population.figures import is_of_archives, rests_on_lists
from advisor.report.formats import ExplanationFormat, Format
from advisor.report.json import write_json
from advisor.report.values import VERDICTS, criterion_title, metric_heading, number, show

LEGEND = (
    "?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound. n: sample size.",
    "utility: the value on the scale of its criterion; 1 is healthiest.",
)


@dataclass(frozen=True)
class Definition:
    """A metric as the JSON defines it: a `advisor.model.Metric` without its query."""

    name: str
    title: str
    definition: str
    unit: str
    direction: Direction
    needs: tuple[str, ...]
    window_days: int | None
    chaoss: int | None
    label: str


@dataclass(frozen=True)
class ExplanationReport(Explanation):
    """An explanation with the definition of each metric in it."""

    definitions: Mapping[str, Definition] = field(default_factory=dict)


_ONLY_LISTS = "all figures are from public lists, each as of its own day; there is no history"
_LISTS_AND_ARCHIVES = (
    "all figures but those of the API are from public lists, each as of its own day; there is no history"
)


def render(
    explanation: Explanation, output_format: ExplanationFormat, views: Sequence[FactsView] = ()
) -> str:
    """Return the explanation in a format.

    JSON adds the definition of each metric, and names the facts behind it, ``views``.
    """
    match output_format:
        case Format.table:
            return _text(explanation)
        case Format.markdown:
            return f"# {explanation.ranked.candidate.repository}\n\n```text\n{_text(explanation)}```\n"
        case Format.json:
            definitions = {m.metric: _define(m.metric) for m in explanation.ranked.measurements}
            report = ExplanationReport(**vars(explanation), definitions=definitions)
            return write_json("explanation", asdict(report), views)
        case _:
            assert_never(output_format)


def _define(metric: str) -> Definition:
    return Definition(**{k: v for k, v in vars(DEFINITIONS[metric]).items() if k != "sql"})


def select_metrics(explanation: Explanation, names: Sequence[str]) -> Explanation:
    """Return the explanation of these metrics alone, without the evidence for models and benchmarks."""
    ranked = explanation.ranked
    criteria = [replace(c, metrics=tuple(m for m in c.metrics if m.metric in names)) for c in ranked.criteria]
    measurements = tuple(m for m in ranked.measurements if m.metric in names)
    selection = replace(ranked, criteria=tuple(c for c in criteria if c.metrics), measurements=measurements)
    return replace(explanation, ranked=selection, models=(), benchmarks=())


def _describe_lists(measurements: Sequence[Measurement]) -> list[str]:
    if not rests_on_lists(measurements):
        return []
    return [_LISTS_AND_ARCHIVES if any(map(is_of_archives, measurements)) else _ONLY_LISTS]


def _text(explanation: Explanation) -> str:
    """Return a block for each metric, by criterion; metrics that no criterion uses come last."""
    r = explanation.ranked
    place = f"{r.rank} of {explanation.candidates}" if r.rank else "out" if r.excluded else "?"
    place += " (no comparison)" if r.rank and explanation.candidates == 1 else ""
    kind = r.candidate.backer_kind or "kind unknown"
    lines = [
        f"{r.candidate.repository}: goal {explanation.goal}, as of {explanation.as_of}",
        f"score {_score(r)}, rank {place}, data for {r.coverage:.0%} of the weight",
        f"backer: {r.candidate.backer or '?'}, {kind} ({_backer_source(r.candidate)})",
        *_describe_lists(r.measurements),
        *(f"{VERDICTS[f.verdict]}: {f.text}" for f in r.findings),
        *(f"not enough data for rule {f.rule}: {f.text}" for f in r.undecided),
    ]
    scored_metrics: set[str] = set()
    for criterion in r.criteria:
        lines += ["", _criterion(criterion, explanation.weights)]
        for score in criterion.metrics:
            scored_metrics.add(score.metric)
            role = f"utility {_utility(score)}, weight {score.weight:g} within {criterion.criterion}"
            lines += _block(r.measurement(score.metric), explanation, role)
    others = [m for m in r.measurements if m.metric not in scored_metrics]
    lines += ["", "measured, but not part of the score"] if others else []
    for measurement in others:
        lines += _block(measurement, explanation, "not part of the score")
    if explanation.models:
        lines += ["", "supported model families, with the evidence for each"]
        lines += [f"  {_evidence(e)}" for e in explanation.models]
    if explanation.benchmarks:
        lines += ["", "measured by `advisor bench`"]
        lines += [f"  {_benchmark(b)}" for b in explanation.benchmarks]
    lines += ["", *LEGEND]
    return "\n".join(lines) + "\n"


def _score(r: Ranked) -> str:
    return "?" if r.score is None else f"{r.score:.0f} of 100 (possible: {r.low:.0f} to {r.high:.0f})"


def _utility(score: MetricScore) -> str:
    """Return the utility of a metric, and what the score counts where the value is not sure."""
    bounds = f"{score.mean:.2f} expected, {score.low:.2f} to {score.high:.2f} possible"
    if score.utility is None:
        return f"unknown: {bounds}"
    return f"{score.utility:.2f} of 1" if score.low == score.high else f"{score.utility:.2f} of 1, {bounds}"


def _backer_source(c: Candidate) -> str:
    return ", read ".join(filter(None, (c.backer_source, c.backer_as_of))) or "no source"


def _criterion(c: CriterionScore, weights: Mapping[str, float]) -> str:
    share = weights.get(c.criterion, 0)
    return f"{criterion_title(c)}: {100 * c.utility:.0f} of 100, {share:.0%} of the weights"


def _block(m: Measurement, explanation: Explanation, role: str) -> list[str]:
    metric = DEFINITIONS[m.metric]
    window = f", window {metric.window_days} days" if metric.window_days else ""
    lines = [
        f"  {_value(m)}",
        f"      {metric.definition}",
        f"      {metric.direction} is healthier{window}; {role}"
        if metric.direction != "neither"
        else f"      neither more nor less is healthier{window}; {role}",
    ]
    if m.low is not None and m.high is not None:
        bounds = f"{number(m.low, metric.unit)} to {number(m.high, metric.unit)}"
        count = "" if m.n is None else f", n {m.n}"
        lines.append(f"      interval {bounds}{count}, {m.evidence_share:.0%} of the evidence available")
    if m.reason:
        lines.append(f"      {m.reason}")
    if m.first_day or m.last_day:
        lines.append(f"      facts from {m.first_day} to {m.last_day}")
    lines += [f"      source: {source}" for source in m.sources]
    lines += [f"      facts: {_rows(t)}" for t in explanation.tables if t.table in metric.needs]
    return lines


def _value(m: Measurement) -> str:
    """Return the plain name of a metric with its unit, its value, and the name for rules and options."""
    return f"{metric_heading(m.metric)} = {show(m)} ({m.metric})"


def _rows(t: Rows) -> str:
    head = f"; what comes from git ends at commit {t.head[:12]}" if t.head else ""
    return f"{t.rows:,} rows in {t.table}, {t.first_day} to {t.last_day}{head}"


def _evidence(e: Evidence) -> str:
    support = f"since {e.supported_on} by route {e.route}: {e.name} in {e.path} at commit {e.commit}"
    weights = f"weights public since {e.released_on} ({e.release_read}: {e.release_source})"
    return f"{e.family}: {support}; {weights}"


def _benchmark(b: Benchmark) -> str:
    bounds = "" if b.low == b.high else f" [{_figure(b.low)}–{_figure(b.high)}]"
    value = f"{b.day}  {b.figure} {_figure(b.value)}{bounds} {b.unit}"
    return f"{value}: {b.stack} {b.version}, {b.setting}, on {b.machine} ({b.source})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
