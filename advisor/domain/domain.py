"""A domain is data: who competes, what counts, for whom. This file reads it and checks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from advisor.domain.files import StrictModel, data_folder, explain, read_toml
from advisor.domain.organisations import Organisation
from advisor.errors import ConfigError, UnknownName
from advisor.model import Candidate


class Scale(StrictModel):
    """How a value becomes a utility: 0 at ``worst``, 1 at ``best``, fixed for everybody.

    ``worst`` may lie above ``best``. On a ``log`` curve equal factors count alike (log1p).
    ``source`` says where the two ends come from.
    """

    metric: str
    weight: float = Field(gt=0)
    worst: float
    best: float
    curve: Literal["linear", "log"] = "linear"
    source: str

    @model_validator(mode="after")
    def _ends_differ(self) -> Scale:
        if self.worst == self.best:
            raise ValueError("worst and best must differ")
        if self.curve == "log" and min(self.worst, self.best) < 0:
            raise ValueError("a log scale takes no negative ends")
        return self


class Criterion(StrictModel):
    """One of the things that count, as a handful of metrics.

    ``benched`` ones rest on what `advisor bench` measured alone: they take part where somebody measured,
    or weighs them.
    """

    name: str
    title: str
    benched: bool = False
    scales: tuple[Scale, ...] = Field(min_length=1)


class Goal(StrictModel):
    """What somebody wants, as weights on criteria (only their ratios matter)."""

    title: str
    weights: Mapping[str, float]


class CandidateEntry(StrictModel):
    """A candidate as written in the file; ``backer`` is a key of organisations.toml."""

    repository: str
    package: str | None = None
    backer: str | None = None
    formerly: tuple[str, ...] = ()


class Domain(StrictModel):
    """A question with its candidates, criteria and goals; ``rules`` are names of files in data/rules."""

    name: str
    title: str
    question: str
    snapshot: str
    rules: tuple[str, ...] = Field(min_length=1)
    default: str | None = None
    default_reason: str = ""
    default_goal: str
    candidates: tuple[CandidateEntry, ...]
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    goals: Mapping[str, Goal]

    @model_validator(mode="after")
    def _names_agree(self) -> Domain:
        names = [c.name for c in self.criteria]
        for goal, entry in self.goals.items():
            check_weights(entry.weights, names, f"goal {goal!r}")
        if self.default_goal not in self.goals:
            raise ValueError(f"default_goal {self.default_goal!r} is not one of the goals")
        if self.default and self.default not in [c.repository for c in self.candidates]:
            raise ValueError(f"default {self.default!r} is not one of the candidates")
        return self


def check_weights(weights: Mapping[str, float], criteria: list[str], where: str) -> None:
    """Check that weights are for known criteria, not negative, finite and not all zero.

    Raises:
        ValueError: they are not.
    """
    for name, weight in weights.items():
        if name not in criteria:
            raise ValueError(f"{where}: unknown criterion {name!r}; known: {', '.join(criteria)}")
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{where}: weight of {name} is {weight}; it must be 0 or more")
    if sum(weights.values()) <= 0:
        raise ValueError(f"{where}: at least one weight must be above 0")


def available_domains(folder: Path | None = None) -> list[str]:
    """Names of the bundled domains."""
    return sorted(p.stem for p in ((folder or data_folder()) / "domains").glob("*.toml"))


def load_domain(name: str, folder: Path | None = None) -> Domain:
    """Read a domain by name, or from a path that ends in ``.toml``.

    A file that ``extends`` another takes everything from it that it does not say itself;
    its candidates come after those of the other. A criterion is written out or named: then it is
    the file of that name in ``data/criteria``.

    Raises:
        UnknownName: no such domain.
        ConfigError: the file is wrong.
    """
    folder = folder or data_folder()
    path = Path(name) if name.endswith(".toml") else folder / "domains" / f"{name}.toml"
    if not name.endswith(".toml") and name not in available_domains(folder):
        raise UnknownName("domain", name, available_domains(folder))
    content = read_toml(path)
    base = content.pop("extends", None)
    if base is not None:
        parent = read_toml(folder / "domains" / f"{base}.toml")
        joined = [*parent["candidates"], *content.get("candidates", [])]
        content = {**parent, **content, "candidates": joined}
    content["criteria"] = [
        _shared_criterion(c, path, folder) if isinstance(c, str) else c for c in content.get("criteria", [])
    ]
    try:
        return Domain.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise explain(path, error) from None


def _shared_criterion(name: str, used_in: Path, folder: Path) -> dict[str, Any]:
    known = {p.stem: p for p in sorted((folder / "criteria").glob("*.toml"))}
    if name not in known:
        raise ConfigError(f"{used_in}: criteria: there is no {name!r}; known: {', '.join(known)}")
    return {"name": name, **read_toml(known[name])}


def candidates(domain: Domain, organisations: Mapping[str, Organisation]) -> list[Candidate]:
    """The domain's candidates with what is known of their backers.

    Raises:
        UnknownName: a backer is not in the table of organisations.
    """
    found = []
    for entry in domain.candidates:
        if entry.backer is not None and entry.backer not in organisations:
            raise UnknownName("organisation", entry.backer, list(organisations))
        backer = organisations[entry.backer] if entry.backer else None
        found.append(
            Candidate(
                repository=entry.repository,
                name=entry.repository.split("/")[1],
                package=entry.package,
                backer=backer.name if backer else None,
                backer_kind=backer.kind if backer else None,
                backer_source=backer.source if backer else None,
                backer_as_of=backer.as_of if backer else "",
                formerly=entry.formerly,
            )
        )
    return found


def rules_of(domain: Domain) -> list[Path]:
    """The files of its rules."""
    return [data_folder() / "rules" / f"{name}.toml" for name in domain.rules]


def candidate_of(repository: str, owners: Mapping[str, Organisation]) -> Candidate:
    """A repository that no domain names, with what its owner (in lower case) says of its backer."""
    owner, name = repository.split("/")
    backer = owners.get(owner.lower())
    if backer is None:
        return Candidate(repository, name)
    return Candidate(
        repository, name, backer=backer.name, backer_kind=backer.kind, backer_source=backer.source
    )
