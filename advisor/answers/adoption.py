"""What advice was worth: the libraries that a project took in, and what was recommended on those days.

The project's own history says when each package came and went. A package may be a candidate of a domain.
Then the domain's question is answered twice: as of the day on which the package came, and as of the newest
day. The second answer shows what became of it. Nothing of a later day enters the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.files import read_file
from advisor.answers.dependencies.packages import Origin, find_origin
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.domain.domain import available_domains, load_domain
from advisor.errors import FactsError, InputError
from advisor.model import Ranked, Recommendation

ANY_LIBRARIES = frozenset({"libraries", "dependencies"})
"""Domains without candidates of their own."""
_MONTHS = 24  # horizon of the outlook


@dataclass(frozen=True)
class Use:
    """A package in a project's history.

    Attributes:
        first_day: the day on which the first file named it.
        last_day: the day on which the last file dropped it; None: it is still there.
        file: the file that named it first.
        commit: the commit that did.
    """

    dependency: Dependency
    first_day: date
    last_day: date | None
    file: str
    commit: str


@dataclass(frozen=True)
class Answer:
    """What a domain said about a library on a day.

    Attributes:
        choice: the recommended repository; None: no candidate was suitable.
        rank: the library's; None: a rule excluded it, or too little was known.
        ranked: how many candidates had a rank.
        score: 0 to 100; None: too little was known.
        chance_of_abandonment: within 24 months; None: no forecast.
        doubts: what the rules said against the library on the day.
    """

    day: date
    choice: str | None
    certainty: str
    rank: int | None
    ranked: int
    score: float | None
    chance_of_abandonment: float | None
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Adoption:
    """A library that a domain has, as the project used it.

    Attributes:
        advice: as of the first day; None: no facts of that day, and ``gap`` says so.
        today: as of the newest day of the facts.
    """

    use: Use
    repository: str
    domain: str
    advice: Answer | None
    today: Answer
    gap: str = ""


@dataclass(frozen=True)
class Replay:
    """The answer.

    Attributes:
        project: the repository or folder.
        adoptions: the packages that a domain has, in the order in which they came.
        others: how many packages no domain has.
        unreadable: versions of files that could not be read.
    """

    project: str
    adoptions: tuple[Adoption, ...]
    others: int
    unreadable: int


Version = tuple[str, str, str, str | None]
"""Day, commit, path and text of a file after a commit; no text where the commit removed it."""


@dataclass
class Uses:
    """The periods in which a project used packages, filled by `find_uses`.

    Attributes:
        periods: in the order of their first days; one ends when the last file drops the package.
        unreadable: versions of files that no reader could read; the version before counts on.
    """

    periods: list[Use]
    unreadable: int = 0


def find_uses(versions: Iterable[Version], folder: Path) -> Uses:
    """Return each period in which at least one dependency file named a package.

    Args:
        versions: all versions of the dependency files, oldest first.
        folder: an empty folder; the files are written there, because one may include another.
    """
    uses = Uses([])
    open_periods: dict[tuple[str, str], Use] = {}
    contents: dict[str, list[Dependency]] = {}
    for (day, commit), changes in groupby(versions, key=lambda version: version[:2]):
        for _, _, path, text in changes:
            try:
                contents[path] = _read_version(folder / path, text)
            except InputError:
                uses.unreadable += 1
        packages = {(d.ecosystem, d.name): (path, d) for path, content in contents.items() for d in content}
        today = date.fromisoformat(day)
        for key in open_periods.keys() - packages.keys():
            uses.periods.append(replace(open_periods.pop(key), last_day=today))
        for key in packages.keys() - open_periods.keys():
            path, package = packages[key]
            open_periods[key] = Use(package, today, None, path, commit)
    uses.periods += open_periods.values()
    uses.periods.sort(key=lambda use: (use.first_day, use.dependency.name, use.dependency.ecosystem))
    return uses


def _read_version(file: Path, text: str | None) -> list[Dependency]:
    if text is None:
        file.unlink(missing_ok=True)
        return []
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return read_file(file)


def replay(
    project: str,
    uses: Uses,
    origins: Mapping[tuple[str, str], Origin],
    progress: Callable[[str], None] = lambda _: None,
) -> Replay:
    """Answer for each use of a library that a bundled domain has.

    Raises:
        FactsError: the newest facts of a domain cannot be read.
    """
    domains = _domains_by_repository()
    adoptions, others = [], 0
    answers: dict[tuple[str, date | None], Recommendation | str] = {}
    for use in uses.periods:
        origin = find_origin(use.dependency, origins)
        domain = domains.get(origin.repository.lower()) if origin else None
        if origin is None or domain is None:
            others += 1
            continue
        progress(f"{use.dependency.name} on {use.first_day}")
        for day in (use.first_day, None):
            if (domain, day) not in answers:
                answers[domain, day] = _ask(domain, day)
        then, today = answers[domain, use.first_day], answers[domain, None]
        if isinstance(today, str):
            raise FactsError(today)
        gap = then if isinstance(then, str) else ""
        advice = None if isinstance(then, str) else _describe(then, origin.repository)
        adoptions.append(
            Adoption(use, origin.repository, domain, advice, _describe(today, origin.repository), gap)
        )
    return Replay(project, tuple(adoptions), others, uses.unreadable)


def _domains_by_repository() -> dict[str, str]:
    """Return repository in lower case → the narrowest domain that has it."""
    domains = [load_domain(name) for name in available_domains() if name not in ANY_LIBRARIES]
    domains.sort(key=lambda domain: -len(domain.candidates))
    return {
        name.lower(): domain.name
        for domain in domains
        for candidate in domain.candidates
        for name in (candidate.repository, *candidate.formerly)
    }


def _ask(domain: str, day: date | None) -> Recommendation | str:
    """Return the answer of a day, or why there is none."""
    try:
        return recommend(read_request(Request(domain=domain, as_of=day)))
    except (FactsError, InputError) as error:  # no facts of that day, or none before it
        return str(error)


def _describe(answer: Recommendation, repository: str) -> Answer:
    matches = [ranked for ranked in answer.ranking if repository.lower() in _names(ranked)]
    chances = [o.probability_inactive for r in matches for o in r.outlook if o.horizon_months == _MONTHS]
    return Answer(
        day=answer.as_of,
        choice=answer.choice,
        certainty=answer.certainty,
        rank=matches[0].rank if matches else None,
        ranked=sum(ranked.rank is not None for ranked in answer.ranking),
        score=matches[0].score if matches else None,
        chance_of_abandonment=chances[0] if chances else None,
        doubts=tuple(f.text for r in matches for f in r.findings if f.verdict != "prefer"),
    )


def _names(ranked: Ranked) -> set[str]:
    return {name.lower() for name in (ranked.candidate.repository, *ranked.candidate.formerly)}
