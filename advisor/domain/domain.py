"""Read and validate a domain: a TOML file with candidates, criteria and goals."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from advisor.domain.domain_file import extend_content, find_domain_file, list_domains, read_domain_file
from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml
from advisor.domain.fitted_weights import CRITERIA, OUTCOMES, complete_weights, read_fitted_weights
from advisor.domain.identities import Identity
from advisor.domain.organisations import Organisation
from advisor.errors import ConfigError, UnknownName, describe_unknown
from advisor.model import Candidate

SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-6, 1e6
"""A weight above 0 lies between these: beyond them, only one criterion would count."""


class Scale(StrictModel):
    """How a value becomes a utility: 0 at ``worst``, 1 at ``best``, the same for all candidates.

    ``worst`` may be greater than ``best``. On a ``log`` curve equal factors have the same effect (log1p),
    on a ``logit`` curve equal factors of the odds of a share.
    ``source`` is the source of the two ends.
    """

    metric: str
    weight: float = Field(ge=SMALLEST_WEIGHT, le=LARGEST_WEIGHT)
    worst: float
    best: float
    curve: Literal["linear", "log", "logit"] = "linear"
    source: str

    @model_validator(mode="after")
    def _ends_differ(self) -> Scale:
        if self.worst == self.best:
            raise ValueError("worst and best must be different")
        if self.curve == "log" and min(self.worst, self.best) < 0:
            raise ValueError("the ends of a log scale must not be negative")
        if self.curve == "logit" and not (0 < self.worst < 1 and 0 < self.best < 1):
            raise ValueError("the ends of a logit scale must be between 0 and 1")
        return self


class Criterion(StrictModel):
    """A criterion: a few metrics with their scales.

    A ``benched`` criterion depends only on benchmarks of `advisor bench`. It counts only if there are
    benchmarks, or if its weight is not 0. An ``optional`` one counts only if its weight is not 0.
    """

    name: str
    title: str
    benched: bool = False
    optional: bool = False
    scales: tuple[Scale, ...] = Field(min_length=1)


class Need(StrictModel):
    """What a candidate must have to meet a goal: a metric of at least this value.

    ``otherwise`` says what holds of a candidate below it, for example "one person made half of the commits".
    """

    metric: str
    at_least: float
    otherwise: str


class Goal(StrictModel):
    """A named set of weights of the criteria (only their ratios matter), and what meets the goal.

    With ``outcomes``, what became of libraries gives the weights of the criteria that a panel shows, and the
    file has the weights of the others, of 100; `load_domain` completes them. With ``asks_task``, the answer
    asks for the model, the method and the GPU if the request does not name them.
    """

    title: str
    asks_task: bool = False
    outcomes: tuple[str, ...] = ()
    weights: Mapping[str, float] = {}
    needs: tuple[Need, ...] = ()

    @model_validator(mode="after")
    def _outcomes_leave_room(self) -> Goal:
        for outcome in self.outcomes:
            if outcome not in OUTCOMES:
                raise ValueError(describe_unknown("outcome", outcome, OUTCOMES))
        if not self.outcomes:
            return self
        if doubles := [n for n in self.weights if n in CRITERIA]:
            raise ValueError(f"outcomes give the weight of {doubles[0]}: leave it or the outcomes out")
        if sum(self.weights.values()) >= 100:
            raise ValueError("with outcomes, the other weights are of 100 and must leave some for them")
        return self


class CandidateEntry(StrictModel):
    """A candidate as in the file; ``backer`` is a key of organisations.toml."""

    repository: str
    package: str | None = None
    backer: str | None = None
    formerly: tuple[str, ...] = ()


class Domain(StrictModel):
    """A question with candidates, criteria and goals; ``rules`` are names of files in data/rules.

    ``rivals`` are known candidates without a history in the snapshot: the figures of public lists stand for
    them, or the report says that they were not compared. ``wider`` is a domain with more candidates.
    ``identities`` are patterns of authors and e-mail domains that come before those of data/identities.
    """

    name: str
    title: str
    question: str
    snapshot: str
    rules: tuple[str, ...] = Field(min_length=1)
    default: str | None = None
    default_reason: str = ""
    default_goal: str
    candidates: tuple[CandidateEntry, ...]
    rivals: tuple[CandidateEntry, ...] = ()
    wider: str | None = None
    identities: tuple[Identity, ...] = ()
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    goals: Mapping[str, Goal]

    @model_validator(mode="after")
    def _names_agree(self) -> Domain:
        names = [c.name for c in self.criteria]
        for goal, entry in self.goals.items():
            if entry.outcomes:
                _check_criteria(entry, names, f"goal {goal!r}")
            else:
                check_weights(entry.weights, names, f"goal {goal!r}")
        if self.default_goal not in self.goals:
            raise ValueError(f"default_goal {self.default_goal!r} is not one of the goals")
        if self.default and self.default not in [c.repository for c in self.candidates]:
            raise ValueError(f"default {self.default!r} is not one of the candidates")
        return self


def _check_criteria(goal: Goal, criteria: list[str], where: str) -> None:
    """Check that the domain has the criteria of a goal with outcomes, and one that they can weigh.

    Raises:
        ValueError: it does not.
    """
    if goal.weights and sum(goal.weights.values()) > 0:
        check_weights(goal.weights, criteria, where)
    if not set(criteria) & set(CRITERIA):
        raise ValueError(f"{where}: outcomes need one of the criteria {', '.join(CRITERIA)}")


def check_weights(weights: Mapping[str, float], criteria: list[str], where: str) -> None:
    """Check that weights are 0 or within bounds, not all zero, and only for the criteria.

    Raises:
        ValueError: a weight is invalid.
    """
    for name, weight in weights.items():
        if name not in criteria:
            raise ValueError(f"{where}: {describe_unknown('criterion', name, criteria)}")
        if not (weight == 0 or SMALLEST_WEIGHT <= weight <= LARGEST_WEIGHT):
            raise ValueError(
                f"{where}: invalid weight {weight} for criterion {name}: expected 0, or a number from "
                f"{SMALLEST_WEIGHT:f} to {LARGEST_WEIGHT:,.0f}"
            )
    if sum(weights.values()) <= 0:
        raise ValueError(f"{where}: at least one weight must be greater than 0")


def available_domains(folder: Path | None = None) -> list[str]:
    """Return the names of the bundled domains."""
    return list_domains(folder or data_folder())


def load_domain(name: str, folder: Path | None = None) -> Domain:
    """Read a domain by name, or from a path that ends in ``.toml``.

    A file that ``extends`` another file takes all missing keys from it; its own candidates come after those
    of the other file. A criterion is a table, or the name of a file in ``data/criteria``.

    Raises:
        UnknownName: there is no such domain.
        ConfigError: the file is invalid.
    """
    if folder is None and not name.endswith(".toml"):
        return load_bundled_domain(name, data_folder())
    return _load_domain(name, folder or data_folder())


@cache
def load_bundled_domain(name: str, folder: Path) -> Domain:
    """Read a bundled domain; a command asks several of them for names."""
    return _load_domain(name, folder)


def _load_domain(name: str, folder: Path) -> Domain:
    return _build_domain(read_domain_file(name, folder), find_domain_file(name, folder), folder)


def parse_domain(text: str, path: Path) -> Domain:
    """Read a domain from the text of a file that is not written yet.

    Raises:
        ConfigError: the text is invalid.
    """
    folder = data_folder()
    return _build_domain(extend_content(tomllib.loads(text), path, folder), path, folder)


def _build_domain(content: dict[str, Any], path: Path, folder: Path) -> Domain:
    content["criteria"] = [
        _shared_criterion(c, path, folder) if isinstance(c, str) else c for c in content.get("criteria", [])
    ]
    try:
        domain = Domain.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise describe_error(path, error) from None
    return select_criteria(domain, domain.criteria)


def select_criteria(domain: Domain, criteria: Sequence[Criterion]) -> Domain:
    """Return the domain with these of its criteria; the outcomes of each goal give the weights again."""
    names = [c.name for c in criteria]
    goals = {name: _complete(goal, names) for name, goal in domain.goals.items()}
    return domain.model_copy(update={"criteria": tuple(criteria), "goals": goals})


def drop_criteria(domain: Domain, names: Collection[str], goal: str) -> Domain:
    """Return the domain without criteria; other goals that weigh one of them go too.

    Args:
        domain: the domain.
        names: of the criteria to drop.
        goal: the goal of the question; it keeps its other weights.
    """
    own = domain.goals[goal]
    own = own.model_copy(update={"weights": {n: w for n, w in own.weights.items() if n not in names}})
    goals = {n: g for n, g in domain.goals.items() if n == goal or not set(names) & set(g.weights)}
    criteria = tuple(c for c in domain.criteria if c.name not in names)
    return domain.model_copy(update={"criteria": criteria, "goals": {**goals, goal: own}})


def _complete(goal: Goal, names: Sequence[str]) -> Goal:
    """Return the goal with the weights that its outcomes give to these criteria."""
    if not goal.outcomes:
        return goal
    experts = {name: weight for name, weight in goal.weights.items() if name not in CRITERIA}
    weights = complete_weights(goal.outcomes, experts, names, read_fitted_weights(data_folder()))
    return goal.model_copy(update={"weights": weights})


def _shared_criterion(name: str, domain_file: Path, folder: Path) -> dict[str, Any]:
    files = {p.stem: p for p in sorted((folder / "criteria").glob("*.toml"))}
    if name not in files:
        raise ConfigError(f"{domain_file}: {describe_unknown('criterion', name, files)}")
    return {"name": name, **read_toml(files[name])}


def read_candidates(domain: Domain, organisations: Mapping[str, Organisation]) -> list[Candidate]:
    """Return the domain's candidates, then its rivals, with the facts about their backers.

    Raises:
        UnknownName: a backer is not in the table of organisations.
    """
    result = []
    for entry in (*domain.candidates, *domain.rivals):
        if entry.backer is not None and entry.backer not in organisations:
            raise UnknownName("organisation", entry.backer, list(organisations))
        backer = organisations[entry.backer] if entry.backer else None
        result.append(
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
    return result


def rule_files(domain: Domain) -> list[Path]:
    """Return the files with the domain's rules."""
    return [data_folder() / "rules" / f"{name}.toml" for name in domain.rules]


def candidate_of(repository: str, owners: Mapping[str, Organisation]) -> Candidate:
    """Return the candidate for a repository outside all domains; its owner decides its backer.

    Args:
        repository: ``owner/name``.
        owners: owner on GitHub, in lower case → organisation.
    """
    owner, name = repository.split("/")
    backer = owners.get(owner.lower())
    if backer is None:
        return Candidate(repository, name)
    return Candidate(
        repository, name, backer=backer.name, backer_kind=backer.kind, backer_source=backer.source
    )
