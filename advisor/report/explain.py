"""Every number of one candidate with what it is, what it rests on, and where that can be looked up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from advisor.metrics import METRICS
from advisor.model import Benchmark, Candidate, CriterionScore, Measurement, Ranked
from advisor.report import number, show
from advisor.report.json import plain


@dataclass(frozen=True)
class Rows:
    """What a fact table holds of the candidate: rows, their first and last day, the history's head."""

    table: str
    rows: int
    first_day: str
    last_day: str
    head: str


@dataclass(frozen=True)
class Evidence:
    """One supported model family with what shows it, and the day of its weights with its source."""

    family: str
    route: str
    supported_on: date
    name: str
    path: str
    commit: str
    released_on: date
    release_source: str
    release_read: str


@dataclass(frozen=True)
class Explanation:
    """A candidate as ranked, and the evidence beside its measurements."""

    as_of: date
    goal: str
    weights: Mapping[str, float]
    ranked: Ranked
    tables: tuple[Rows, ...]
    models: tuple[Evidence, ...]
    benchmarks: tuple[Benchmark, ...] = ()


def text(found: Explanation) -> str:
    """One block a metric, by criterion, those that no criterion counts last."""
    r = found.ranked
    place = r.rank or ("out" if r.excluded else "?")
    kind = r.candidate.backer_kind or "kind unknown"
    lines = [
        f"{r.candidate.repository}: goal {found.goal}, as of {found.as_of}",
        f"score {_score(r)}, rank {place}, {r.coverage:.0%} of the weight measured",
        f"backer: {r.candidate.backer or '?'}, {kind} ({_shown_by(r.candidate)})",
        *(f"{f.verdict}: {f.text}" for f in r.findings),
        *(f"not decided: {f.rule}: {f.text}" for f in r.undecided),
    ]
    counted: set[str] = set()
    for criterion in r.criteria:
        lines += ["", _criterion(criterion, found.weights)]
        for scored in criterion.metrics:
            counted.add(scored.metric)
            utility = "none" if scored.utility is None else f"{scored.utility:.2f}"
            counts = f"utility {utility}, weight {scored.weight:g} within {criterion.criterion}"
            lines += _block(r.measurement(scored.metric), found, counts)
    lines += ["", "measured, but not scored"]
    for measured in r.measurements:
        if measured.metric not in counted:
            lines += _block(measured, found, "not scored")
    if found.models:
        lines += ["", "model families, with what shows each"]
        lines += [f"  {_evidence(e)}" for e in found.models]
    if found.benchmarks:
        lines += ["", "measured on machines by `advisor bench`"]
        lines += [f"  {_benchmark(b)}" for b in found.benchmarks]
    return "\n".join(lines) + "\n"


def markdown(found: Explanation) -> str:
    """The text as a block that Markdown leaves alone."""
    return f"# {found.ranked.candidate.repository}\n\n```text\n{text(found)}```\n"


def to_json(found: Explanation) -> str:
    """Everything, each measurement with its definition."""
    content = asdict(found)
    content["definitions"] = {
        m.metric: {k: v for k, v in asdict(METRICS[m.metric]).items() if k != "sql"}
        for m in found.ranked.measurements
    }
    return json.dumps(plain(content), indent=1, ensure_ascii=False) + "\n"


RENDER: Mapping[str, Callable[[Explanation], str]] = {"table": text, "markdown": markdown, "json": to_json}


def _score(r: Ranked) -> str:
    return "?" if r.score is None else f"{r.score:.0f} ({r.low:.0f}–{r.high:.0f})"


def _shown_by(c: Candidate) -> str:
    return ", read ".join(filter(None, (c.backer_source, c.backer_as_of))) or "no source"


def _criterion(c: CriterionScore, weights: Mapping[str, float]) -> str:
    points = "?" if c.utility is None else f"{100 * c.utility:.0f}"
    return f"{c.criterion}: {points} of 100, {weights.get(c.criterion, 0):.0%} of the weights"


def _block(m: Measurement, found: Explanation, counts: str) -> list[str]:
    metric = METRICS[m.metric]
    window = f", window {metric.window_days} days" if metric.window_days else ""
    lines = [
        f"  {m.metric} = {show(m)} {'' if metric.unit in ('share', 'status') else metric.unit}".rstrip(),
        f"      {metric.definition}",
        f"      {metric.direction} is healthier{window}; {counts}"
        if metric.direction != "neither"
        else f"      neither more nor less is healthier by itself{window}; {counts}",
    ]
    if m.low is not None and m.high is not None:
        bounds = f"{number(m.low, metric.unit)} to {number(m.high, metric.unit)}"
        lines.append(f"      interval {bounds}, n {m.n}, {m.evidence_share:.0%} of the evidence there")
    if m.reason:
        lines.append(f"      {m.reason}")
    if m.first_day or m.last_day:
        lines.append(f"      facts from {m.first_day} to {m.last_day}")
    lines += [f"      source: {source}" for source in m.sources]
    lines += [f"      rows: {_rows(t)}" for t in found.tables if t.table in metric.needs]
    return lines


def _rows(t: Rows) -> str:
    head = f", history at {t.head[:12]}" if t.head else ""
    return f"{t.rows:,} in {t.table}, {t.first_day} to {t.last_day}{head}"


def _evidence(e: Evidence) -> str:
    shown = f"{e.family}: {e.supported_on} by {e.route}: {e.name} in {e.path} at {e.commit}"
    return f"{shown}; weights {e.released_on}, {e.release_read}: {e.release_source}"


def _benchmark(b: Benchmark) -> str:
    bounds = "" if b.low == b.high else f" [{_figure(b.low)}–{_figure(b.high)}]"
    what = f"{b.day}  {b.figure} {_figure(b.value)}{bounds} {b.unit}"
    return f"{what}: {b.stack} {b.version}, {b.setting}, on {b.machine} ({b.source})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def rows_of(manifest: Mapping[str, Mapping[str, object]], repository: str) -> Sequence[Rows]:
    """What the manifest of a store says of a repository's tables."""
    stem = repository.replace("/", "__", 1)
    return [
        Rows(
            table=file.split("/")[0],
            rows=int(str(entry["rows"])),
            first_day=str(entry.get("first_day", "")),
            last_day=str(entry.get("last_day", "")),
            head=str(entry.get("head", "")),
        )
        for file, entry in manifest.items()
        if file.split("/")[1].removesuffix(".parquet").partition("@")[0] == stem
    ]
