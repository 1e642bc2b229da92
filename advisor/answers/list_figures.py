"""Fills gaps of the facts with figures of public lists, and says where the figures of an answer come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from advisor.answers.question import Question
from advisor.measure.cache import SnapshotMeasurements
from advisor.measure.list_figures import read_cached_figures
from advisor.metrics import METRICS
from advisor.model import Candidate, Measurement, Outlook, ScoredCandidate
from advisor.outlook.measurements import OLD_COMMITS
from advisor.population.figures import (
    LIST_METRICS,
    MAX_DAYS,
    ListFigures,
    is_listed,
    is_of_archives,
    read_figures,
    rests_on_lists,
)

HOW_TO_COLLECT = "the public lists do not report it; collect the history: `advisor collect {} --git-only`"
_FEW = 4  # candidates that a sentence names


def add_list_figures(question: Question, snapshot: SnapshotMeasurements) -> SnapshotMeasurements:
    """Return the measurements with the figures of public lists where the facts have none.

    A candidate without facts gets all that the lists know, and its outlook. One whose history was last read
    long ago gets the outlook too. The figures must be known on the as-of date; if the request names no date,
    the newest count.
    """
    measurements, outlooks = dict(snapshot.measurements), dict(snapshot.outlooks)
    damaged_names = {damage.repository for damage in snapshot.damages}
    used_metrics = {s.metric for c in question.domain.criteria for s in c.scales}
    gaps = {
        c.repository: c
        for c in question.candidates
        if c.repository not in damaged_names and _has_gap(measurements.get(c.repository), used_metrics)
    }
    for repository, figures in _read(gaps, question).items():
        day = question.as_of if question.is_past else max(question.as_of, figures.day)
        if figures.is_usable_on(day):
            rows = measurements.get(repository)
            measurements[repository] = fill_gaps(repository, rows, figures)
            if repository in outlooks or not has_history(rows):
                outlooks[repository] = choose_outlooks(rows, outlooks.get(repository, ()), figures)
    return replace(snapshot, measurements=measurements, outlooks=outlooks)


def fill_gaps(
    repository: str, rows: Mapping[str, Measurement] | None, figures: ListFigures
) -> dict[str, Measurement]:
    """Return the measurements of a repository with those of public lists where it has none."""
    if rows is None or (any(map(is_of_archives, rows.values())) and not has_history(rows)):
        reason = HOW_TO_COLLECT.format(repository)
        gaps = {m: Measurement(repository, m, "unavailable", reason=reason) for m in METRICS}
        rows = gaps | {m: row for m, row in (rows or {}).items() if row.status != "unavailable"}
    return {
        metric: figures.measurements.get(metric, row) if row.status == "unavailable" else row
        for metric, row in rows.items()
    }


def choose_outlooks(
    rows: Mapping[str, Measurement] | None, own_outlooks: Sequence[Outlook], figures: ListFigures
) -> tuple[Outlook, ...]:
    """Return the outlooks of a repository: those of public lists if its history is missing or old."""
    is_old = any(outlook.reason.startswith(OLD_COMMITS) for outlook in own_outlooks)
    return figures.outlooks if is_old or not has_history(rows) else tuple(own_outlooks)


def has_history(rows: Mapping[str, Measurement] | None) -> bool:
    """Return whether anything is measured; the archives of the package are no history."""
    return any(m.status == "measured" and not is_of_archives(m) for m in (rows or {}).values())


def _has_gap(rows: Mapping[str, Measurement] | None, metrics: Iterable[str]) -> bool:
    """Return whether a metric of the score is missing that public lists may know."""
    known_to_lists = LIST_METRICS & set(metrics)
    return rows is None or any(
        rows[m].status == "unavailable" for m in (known_to_lists or LIST_METRICS) if m in rows
    )


def _read(candidates: Mapping[str, Candidate], question: Question) -> dict[str, ListFigures]:
    """Return the figures of candidates, also under their earlier names, from the caches or from the file."""
    cache: dict[str, ListFigures | None] = {}
    views = question.views if candidates and question.population is None else ()
    for view in views:
        cache |= read_cached_figures(view.store)
    figures = {r: cache[r] for r in candidates if r in cache}
    others = {r: c for r, c in candidates.items() if r not in cache}
    names = {r: (r, *c.formerly) for r, c in others.items()}
    all_names = [name for each in names.values() for name in each]
    rows = read_figures(all_names, question.population) if all_names else {}
    for repository, own_names in names.items():
        figures[repository] = next((rows[name] for name in own_names if name in rows), None)
    return {repository: row for repository, row in figures.items() if row is not None}


def describe_missing(repository: str, question: Question) -> str:
    """Return why a repository has no facts, and how to get them."""
    place = f"the facts in {question.snapshot} do not have it" if question.views else "there are no facts"
    lists = f"no public list has figures of it from the {MAX_DAYS} days before {question.as_of}"
    return f"{place}, and {lists}; for facts: `advisor collect {repository}`"


def describe_collection(question: Question) -> str:
    """Return the command that collects newer facts for a question."""
    domain = question.domain
    return f"advisor collect {f'--domain {domain.name}' if domain.candidates else _name_few(question)}"


def _name_few(question: Question) -> str:
    few = [c.repository for c in question.candidates[: _FEW + 1]]
    return " ".join(few) if len(few) <= _FEW else "OWNER/NAME"


def describe_sources(question: Question, ranking: Sequence[ScoredCandidate]) -> Iterator[str]:
    """Yield where the figures come from and up to which day, and how to refresh them, in sentences."""
    domain = question.domain
    yield from question.notes
    for view in question.views:
        yield (
            f"facts in {view.store.path.name} up to {view.as_of}; "
            f"for newer ones: `{describe_collection(question)}`"
        )
    if not question.views:
        yield f"for facts with a history: `advisor collect {_name_few(question)}`"
    whole: list[tuple[str, date]] = []
    partly: list[tuple[str, date]] = []
    for candidate in ranking:
        days = _list_days(candidate)
        if days:
            is_whole = rests_on_lists(candidate.measurements)
            (whole if is_whole else partly).append((candidate.candidate.name, max(days)))
    if whole:
        yield f"only figures of public lists, no history: {_name_some(whole)}"
    if partly:
        yield f"public lists fill gaps for {_name_some(partly)}"
    if domain.wider:
        yield f"`--domain {domain.wider}` compares more candidates"


def _list_days(candidate: ScoredCandidate) -> list[date]:
    return [m.last_day for m in candidate.measurements if m.last_day and is_listed(m)]


def _name_some(names: Sequence[tuple[str, date]]) -> str:
    """Return the first few names with their days, and the number of the others."""
    texts = [f"{name} ({day})" for name, day in names[:_FEW]]
    more = len(names) - _FEW
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")
