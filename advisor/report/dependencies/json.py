"""The dependencies of a project as JSON, with every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date

from advisor.answers.dependencies.details import Details
from advisor.answers.dependencies.health import Alternative, Dependencies, Exemption, Health
from advisor.model import ScoredCandidate
from advisor.report.json import write_json


@dataclass(frozen=True)
class Abandonment:
    """How many packages with such a score were abandoned, with its 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Package:
    """A package as the JSON shows it.

    The attributes are those of a `Dependency`, those of its `Health`, whether all that is measured comes from
    public lists, and how many packages with such a score were abandoned.
    """

    ecosystem: str
    name: str
    file: str
    line: int
    version: str | None
    groups: tuple[str, ...]
    marker: str
    repository: str | None
    local: str
    index: str
    is_claim: bool
    parents: tuple[str, ...] | None
    origin: str
    ranked: ScoredCandidate | None
    as_of: date | None
    unknown: str
    alternatives: tuple[Alternative, ...]
    exemption: Exemption | None
    details: Details
    importing_files: int | None
    rests_on_lists: bool
    abandoned_at_this_score: Abandonment | None


@dataclass(frozen=True)
class DependenciesReport:
    """The answer as the JSON shows it.

    Attributes:
        below: packages that fail the gate.
        certainly_below: packages whose highest possible score is too low.
        excluded: packages that a rule excludes: they fail at any score.
        known: the riskiest first.
        unknown: the others, with reasons.
    """

    files: tuple[str, ...]
    goal: str
    weights: Mapping[str, float]
    fail_under: float | None
    below: tuple[str, ...]
    certainly_below: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    excluded: tuple[str, ...]
    known: tuple[Package, ...]
    unknown: tuple[Package, ...]


def render(answer: Dependencies, fail_under: float | None = None) -> str:
    """Return the JSON."""

    def list_below(*, certainly: bool) -> tuple[str, ...]:
        if fail_under is None:
            return ()
        return tuple(h.dependency.name for h in answer.known if h.is_below(fail_under, certainly=certainly))

    report = DependenciesReport(
        files=answer.files,
        goal=answer.goal,
        weights=answer.weights,
        fail_under=fail_under,
        below=list_below(certainly=answer.is_certain),
        certainly_below=list_below(certainly=True),
        problems=answer.problems,
        notes=answer.notes,
        excluded=tuple(h.dependency.name for h in answer.known if h.ranked and h.ranked.excluded),
        known=tuple(map(_describe, answer.known)),
        unknown=tuple(map(_describe, answer.unknown)),
    )
    return write_json("dependencies", asdict(report))


def _describe(health: Health) -> Package:
    band = health.band
    dependency = {
        k: v for k, v in vars(health.dependency).items() if k not in {"requires", "size_bytes", "deprecation"}
    }
    own = {k: v for k, v in vars(health).items() if k != "dependency"}
    return Package(
        **{**dependency, **own},
        rests_on_lists=health.rests_on_lists,
        abandoned_at_this_score=Abandonment(band.share, band.low, band.high) if band else None,
    )
