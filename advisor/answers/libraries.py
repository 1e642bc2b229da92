"""Finds libraries by name, package, address or category, in domains, stores and the population."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from packaging.utils import canonicalize_name

from advisor.addresses import github_repository
from advisor.answers.dependencies.packages import read_origins
from advisor.answers.question import ANY_LIBRARIES, DEFAULT_DOMAIN, check_duplicates
from advisor.domain.domain import Domain, available_domains, candidate_of, load_domain, read_candidates
from advisor.domain.organisations import load_organisations
from advisor.errors import InputError, UnknownName
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store
from advisor.model import Candidate
from advisor.population.figures import MAX_DAYS, read_figures
from advisor.population.library import ECOSYSTEMS
from advisor.population.reading import (
    Category,
    category_title,
    read_all_names,
    read_categories,
    read_category,
    read_list_titles,
    read_packages,
    read_repositories_of,
)

SAME_FIELD = 0.5  # the bundled lists share at least 0.6 of a category's libraries, or at most 0.08
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class Libraries:
    """The libraries of a request, and the facts about them.

    Attributes:
        candidates: one per library, in the order of the request.
        views: the facts about them, each store as of its own day; the newest first.
        as_of: the day of the answer.
        name: the category, or the name of the domain.
        notes: which other lists have a category of this name.
    """

    candidates: tuple[Candidate, ...]
    views: tuple[FactsView, ...]
    as_of: date
    name: str = ANY_LIBRARIES
    notes: tuple[str, ...] = ()


def find_domain(names: Sequence[str]) -> str:
    """Return the first bundled domain that has all these candidates; `ANY_LIBRARIES` if none has.

    Without names, the default domain.
    """
    if not names:
        return DEFAULT_DOMAIN
    others = [name for name in available_domains() if name != DEFAULT_DOMAIN]
    for domain in (DEFAULT_DOMAIN, *others):
        if has_all(domain, names):
            return domain
    return ANY_LIBRARIES


def has_all(domain: str, names: Sequence[str]) -> bool:
    """Return whether a domain has all these candidates: by name, repository or address on GitHub."""
    content = load_domain(domain)
    known = {
        word.lower()
        for entry in (*content.candidates, *content.rivals)
        for word in (entry.repository, entry.repository.split("/")[1], *entry.formerly)
    }
    return {_repository_of(name).lower() for name in names} <= known


def find_libraries(
    names: Sequence[str],
    category: str | None,
    stores: Sequence[Store],
    as_of: date | None,
    population: Path | None = None,
) -> Libraries:
    """Find libraries by name or category, and the stores that have facts about them.

    Args:
        names: ``owner/name``, an address on GitHub, or a package, also as ``npm:name``.
        category: a category of the population in place of names.
        stores: facts; the first store that has a repository counts.
        as_of: the day of the answer; None: the newest.
        population: file of the figures of public lists; None: the bundled one.

    Raises:
        InputError: a name or the category is unknown, or nothing is known about any library.
    """
    notes: tuple[str, ...] = ()
    if category is not None:
        first, *others = find_categories(category)
        repositories, notes = _join_categories(first, others)
    else:
        repositories = _find_repositories(names, stores)
        check_duplicates(name.lower() for name in repositories)
    candidates = list({c.repository: c for c in _read_candidates(repositories)}.values())
    views: list[FactsView] = []
    for store in stores:
        if as_of is not None and not store.first_day <= as_of <= store.as_of:
            continue
        spellings = {name.lower(): name for name in store.repositories()}
        names_in_views = {name for view in views for name in view.repositories}
        spelling_of = {
            c.repository: spellings[c.repository.lower()]
            for c in candidates
            if c.repository.lower() in spellings and c.repository not in names_in_views
        }
        candidates = [replace(c, repository=spelling_of.get(c.repository, c.repository)) for c in candidates]
        if spelling_of:
            views.append(FactsView(store, tuple(spelling_of.values()), as_of or store.as_of))
    views.sort(key=lambda view: view.as_of, reverse=True)
    day = views[0].as_of if views else _day_of_figures(candidates, as_of, population)
    name = ANY_LIBRARIES if category is None else first.name
    return Libraries(tuple(candidates), tuple(views), day, name, notes)


def find_missing(names: Sequence[str], stores: Sequence[Store]) -> list[str]:
    """Return the repositories of these libraries that no store has facts about, in order.

    Raises:
        InputError: a name is unknown.
    """
    known = {
        repository.lower()
        for store in stores
        for repository in store.repositories()
        if any(not file.startswith("packages/") for file in store.files[repository])
    }
    candidates = _read_candidates(_find_repositories(names, stores))
    return list(dict.fromkeys(c.repository for c in candidates if c.repository.lower() not in known))


def find_repository(name: str, stores: Sequence[Store]) -> str | None:
    """Return the repository of a library by its name or package, also as ``pypi:name``; None if unknown.

    Raises:
        InputError: several libraries have the name.
    """
    return _resolve([name], stores)[0]


def find_unknown_packages(names: Sequence[str], stores: Sequence[Store]) -> list[tuple[str, str]]:
    """Return (ecosystem, package) of each name that no store, domain or list knows; without one, of PyPI."""
    pairs = zip(names, _resolve(names, stores), strict=True)
    packages = (next(iter(_packages_of(name)), None) for name, repository in pairs if repository is None)
    return [package for package in packages if package is not None]


def _day_of_figures(candidates: Sequence[Candidate], as_of: date | None, population: Path | None) -> date:
    """Return the day of the request if public lists have figures then; without one, their newest day."""
    figures = read_figures((c.repository for c in candidates), population)
    names = " ".join(c.repository for c in candidates)
    if not figures:
        near = difflib.get_close_matches(candidates[0].name.lower(), _list_candidates(), 2, 0.6)
        question = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise InputError(
            f"no facts about {names}, and no public list has them{question}: run `advisor collect {names}`"
        )
    newest = max(row.day for row in figures.values())
    if as_of is not None and not any(row.is_usable_on(as_of) for row in figures.values()):
        raise InputError(
            f"no facts about {names} as of {as_of}; the newest figures of public lists: {newest}"
        )
    return as_of or newest


def find_library(name: str) -> Candidate:
    """Return the library of a name that bundled domains or public lists have, or of ``owner/name``.

    Raises:
        InputError: the name is unknown.
    """
    (repository,) = _resolve([name], [])
    if repository is None:
        near = _near_names(name)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise InputError(f"unknown library {name!r}{hint}: expected owner/name, or a name on a public list")
    (library,) = _read_candidates([repository])
    return library


def _read_candidates(repositories: Iterable[str]) -> list[Candidate]:
    organisations = load_organisations()
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    entries = {
        name.lower(): candidate
        for domain in available_domains()
        for candidate in read_candidates(load_domain(domain), organisations)
        for name in (*candidate.formerly, candidate.repository)
    }
    return [entries.get(name.lower()) or candidate_of(name, owners) for name in repositories]


def _repository_of(name: str) -> str:
    """Return ``owner/name`` of an address on GitHub; any other text as it is."""
    return github_repository(name) or name.strip()


def _find_repositories(names: Sequence[str], stores: Sequence[Store]) -> list[str]:
    """Return the repository of each name.

    Raises:
        InputError: a name is unknown, or several libraries have it.
    """
    repositories = []
    for name, repository in zip(names, _resolve(names, stores), strict=True):
        if repository is None:
            raise _unknown_library(name)
        repositories.append(repository)
    return repositories


def _resolve(names: Sequence[str], stores: Sequence[Store]) -> list[str | None]:
    """Return the repository of each name; None if it is unknown."""
    origins = read_origins(stores)
    wishes: dict[str, set[str]] = {ecosystem: set() for ecosystem in ECOSYSTEMS}
    for name in names:
        for ecosystem, package in _packages_of(name):
            wishes[ecosystem].add(package)
    libraries = read_packages(wishes)
    by_name = read_repositories_of(
        [name for name in names if not _REPOSITORY.fullmatch(_repository_of(name))]
    )
    result: list[str | None] = []
    for name in names:
        repository = _repository_of(name)
        if _REPOSITORY.fullmatch(repository):
            result.append(repository)
            continue
        packages = list(_packages_of(name))
        from_origins = (origins[e, p].repository for e, p in packages if (e, p) in origins)
        from_lists = (libraries[wish].repository for wish in packages if wish in libraries)
        origin = next(from_origins, None) or next(from_lists, None) or _candidate_with_name(name)
        result.append(origin or _choose(name, by_name.get(name.lower(), [])))
    return result


def _choose(name: str, repositories: Sequence[str]) -> str | None:
    """Return the only repository with a name; None if there is none.

    Raises:
        InputError: there are several.
    """
    if len(repositories) > 1:
        raise InputError(
            f"several libraries are called {name!r}: expected one of {', '.join(repositories[:5])}"
        )
    return repositories[0] if repositories else None


def _packages_of(name: str) -> list[tuple[str, str]]:
    """Return (ecosystem, package) that a name may mean, the likeliest first."""
    kind, colon, rest = name.partition(":")
    if colon and kind in ECOSYSTEMS and rest:
        return [(kind, canonicalize_name(rest) if kind == "pypi" else rest)]
    if _REPOSITORY.fullmatch(_repository_of(name)):
        return []
    return [(e, canonicalize_name(name) if e == "pypi" else name) for e in ECOSYSTEMS]


def _candidate_with_name(name: str) -> str | None:
    for domain in available_domains():
        content = load_domain(domain)
        for entry in (*content.candidates, *content.rivals):
            if entry.repository.split("/")[1].lower() == name.lower():
                return entry.repository
    return None


def _list_candidates() -> list[str]:
    """Return the names of the candidates of all bundled domains, without their owners."""
    domains = (load_domain(name) for name in available_domains())
    entries = (entry for domain in domains for entry in (*domain.candidates, *domain.rivals))
    return list(dict.fromkeys(entry.repository.split("/")[1].lower() for entry in entries))


def _near_names(name: str) -> list[str]:
    near = difflib.get_close_matches(name.lower(), _list_candidates(), 2, 0.6)
    return near or difflib.get_close_matches(name.lower(), read_all_names(), 3, 0.8)


def _unknown_library(name: str) -> InputError:
    if "://" in name:
        return InputError(
            f"unknown library {name!r}: expected the address of a repository on GitHub, or its name"
        )
    near = _near_names(name)
    hint = f"did you mean {' or '.join(near)}? If not, " if near else ""
    return InputError(
        f"unknown library {name!r}: no bundled domain, no facts of yours and no public list has it; {hint}"
        "name its repository (owner/name) after `advisor collect OWNER/NAME`"
    )


@dataclass(frozen=True)
class NamedCategory:
    """A category of a public list.

    Attributes:
        name: ``list/category``.
        title: the same in words.
        libraries: how many libraries it has.
    """

    name: str
    title: str
    libraries: int


def list_categories(text: str = "") -> list[NamedCategory]:
    """Return the categories of the population with this text in their name or title."""
    titles = read_list_titles()
    categories = [
        NamedCategory(c.name, category_title(c.name, titles), c.libraries) for c in read_categories()
    ]
    return [c for c in categories if text.lower() in f"{c.name} {c.title}".lower()]


def list_domains(text: str = "") -> list[Domain]:
    """Return the bundled domains with this text in their name or title."""
    domains = [load_domain(name) for name in available_domains()]
    return [d for d in domains if text.lower() in f"{d.name} {d.title}".lower()]


def find_categories(name: str) -> list[Category]:
    """Return the categories with this name: ``list/category``, or its own part in any spelling.

    If several lists have it, the one with the most libraries with recent figures comes first.

    Raises:
        UnknownName: no list has it.
    """
    categories = read_categories()
    wish = _plain(name)
    exact = [c for c in categories if _plain(c.name) == wish]
    matches = exact or [c for c in categories if _plain(c.name.partition("/")[2]) == wish]
    if not matches:
        near = difflib.get_close_matches(wish, [_plain(c.name.partition("/")[2]) for c in categories], 5, 0.6)
        known = [c.name for c in categories if _plain(c.name.partition("/")[2]) in near]
        raise UnknownName("category", name, known or ["those that `advisor domains` lists"])
    if len(matches) == 1:
        return matches
    days = {c.name: [row.day for row in read_category(c.name)] for c in matches}
    oldest = max(max(of) for of in days.values()) - timedelta(days=MAX_DAYS)
    return sorted(matches, key=lambda c: (-sum(day >= oldest for day in days[c.name]), c.name))


def _join_categories(first: Category, others: Sequence[Category]) -> tuple[list[str], tuple[str, ...]]:
    """Return the repositories of a category, and notes about others of its name.

    One that shares half of its repositories, or of the first's, is about the same field and joins in: two
    lists of Python libraries for reinforcement learning, but not the web frameworks of Python and of Scala.
    """
    own = [row.repository for row in read_category(first.name)]
    repositories, notes = dict.fromkeys(own), []
    for category in others:
        theirs = [row.repository for row in read_category(category.name)]
        if len({*own} & {*theirs}) >= SAME_FIELD * min(len(own), len(theirs)):
            repositories |= dict.fromkeys(theirs)
            notes.append(f"with the libraries of {category.name}, another list of this field")
        else:
            notes.append(f"{category.name} is another category of this name")
    return list(repositories), tuple(notes)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9/]+", "", text.lower())
