"""Every number of one candidate, with the facts and the model families behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from advisor.answers.coverage import read_cells
from advisor.answers.question import Question
from advisor.domain.families import load_families
from advisor.errors import FactsError, InputError
from advisor.facts.facts_view import FactsView
from advisor.model import Benchmark, Ranked, Recommendation


@dataclass(frozen=True)
class Rows:
    """The rows of a candidate in a fact table: number, first and last day, head commit of its history."""

    table: str
    rows: int
    first_day: str
    last_day: str
    head: str


@dataclass(frozen=True)
class Evidence:
    """The evidence for a supported model family, and the day of its public weights with the source."""

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
    """A ranked candidate with the evidence for its measurements.

    Attributes:
        ranked: the candidate with its scores, findings and measurements.
        tables: the fact tables that have rows of it.
        models: the model families that it supports, each with its evidence.
        benchmarks: what `advisor bench` measured of it.
        candidates: how many candidates have a rank.
    """

    as_of: date
    goal: str
    weights: Mapping[str, float]
    ranked: Ranked
    tables: tuple[Rows, ...]
    models: tuple[Evidence, ...]
    benchmarks: tuple[Benchmark, ...] = ()
    candidates: int = 1


def explain(question: Question, answer: Recommendation, repository: str) -> Explanation:
    """Explain one candidate of an answer to the question.

    Args:
        question: the question.
        answer: its answer; a rank needs the other candidates.
        repository: the candidate to explain.

    Raises:
        InputError: the candidate could not be ranked.
    """
    match = next((r for r in answer.ranking if r.repository == repository), None)
    if match is None:
        raise InputError(f"{repository}: {({**answer.missing, **answer.rivals})[repository]}")
    facts = next((view for view in question.views if repository in view.repositories), None)
    return Explanation(
        as_of=question.as_of,
        goal=question.goal,
        weights=question.weights,
        ranked=match,
        tables=tuple(fact_rows(facts.store.manifest["files"], repository)) if facts else (),
        models=tuple(_read_models(facts.select([repository]))) if facts else (),
        benchmarks=tuple(b for b in answer.benchmarks if b.repository == repository),
        candidates=sum(r.rank is not None for r in answer.ranking),
    )


def fact_rows(manifest: Mapping[str, Mapping[str, object]], repository: str) -> Sequence[Rows]:
    """Read from the manifest of a store which fact tables have rows of a repository."""
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


def _read_models(facts: FactsView) -> list[Evidence]:
    """Return the supported families, each with its evidence; [] if the facts hold no coverage."""
    try:
        cells = read_cells(facts)
    except FactsError:
        return []
    families = {f.name: f for f in load_families()}
    return [
        Evidence(
            c.family,
            c.route or "",
            c.supported_on,
            c.name or "",
            c.path or "",
            c.commit or "",
            c.released_on,
            families[c.family].source if c.family in families else "",
            families[c.family].read if c.family in families else "",
        )
        for c in cells
        if c.supported_on is not None and c.removed_on is None
    ]
