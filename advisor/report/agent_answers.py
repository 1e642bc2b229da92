"""The short answers for agents: what each of their fields holds.

`agent.py` fills them; the server sends them as JSON with a schema that is made from these classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["clear", "leaning", "tie", "only", "unknown"]


@dataclass(frozen=True)
class Facts:
    """The facts of an answer: name of the snapshot, its last day, hash of its manifest (with all hashes)."""

    snapshot: str
    last_day: str
    sha256: str


@dataclass(frozen=True)
class Place:
    """A candidate: score from 0 to 100 with its bounds, share of the sampled weightings that it wins."""

    repository: str
    rank: int | None
    note: str
    score: float | None
    low: float
    high: float
    wins: float | None


@dataclass(frozen=True)
class Advice:
    """A recommendation, in short."""

    verdict: Verdict
    choice: str | None
    advice: str
    as_of: str
    domain: str
    goal: str
    facts: tuple[Facts, ...]
    ranking: tuple[Place, ...]
    why: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    without_rank: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class Versus:
    """One criterion of two candidates: scores from 0 to 100, and which is better if the bounds are apart."""

    criterion: str
    weight: float
    first: float
    second: float
    better: str


@dataclass(frozen=True)
class Pair:
    """Two candidates side by side, in short."""

    verdict: Verdict
    choice: str | None
    advice: str
    goal: str
    as_of: str
    facts: tuple[Facts, ...]
    candidates: tuple[Place, ...]
    criteria: tuple[Versus, ...]
    would_reverse: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class Number:
    """A metric: value with its interval in words, days and sources of its facts; ``?``: unknown."""

    metric: str
    value: str
    n: int | None
    first_day: str
    last_day: str
    sources: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Numbers:
    """The numbers behind one candidate, in short."""

    repository: str
    as_of: str
    facts: tuple[Facts, ...]
    place: Place
    chance_of_abandonment: tuple[str, ...]
    numbers: tuple[Number, ...]
    findings: tuple[str, ...] = ()
    definition: str = ""
    left_out: str = ""


@dataclass(frozen=True)
class Package:
    """A dependency: score with its bounds, and what to look at; without a score, why it is unknown."""

    package: str
    repository: str | None
    score: float | None
    low: float | None
    high: float | None
    as_of: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageList:
    """The dependencies of a project, the riskiest first."""

    goal: str
    facts: tuple[Facts, ...]
    known: int
    unknown: int
    at_risk: int
    packages: tuple[Package, ...]
    without_score: tuple[str, ...] = ()
    left_out: str = ""


@dataclass(frozen=True)
class UpgradeCheck:
    """What an upgrade breaks, in short; places: lines of the user's code, None: no code was searched.

    ``count`` is the number of all incompatible changes.
    """

    repository: str
    old: str
    new: str
    as_of: str
    facts: tuple[Facts, ...]
    count: int
    breaks: tuple[str, ...]
    places: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    left_out: str = ""
