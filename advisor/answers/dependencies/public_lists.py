"""Finds repositories of packages, and other libraries for the same purpose, in the population."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.indexes import is_public
from advisor.answers.dependencies.packages import Origin
from advisor.population.library import ECOSYSTEMS
from advisor.population.reading import read_libraries, read_list_repositories, read_neighbours, read_packages

NEIGHBOURS = 8
"""How many of the most starred libraries of a category are compared."""

Pair = tuple[Dependency, Origin | None]


def find_listed_origins(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the dependencies with their origins, as far as public lists know better.

    One without an origin gets that of a list, and one whose own word a list confirms is no claim any more. A
    package of a private index is not the package of the same name on a public list.
    """
    wishes: dict[str, set[str]] = {ecosystem: set() for ecosystem in ECOSYSTEMS}
    for dependency, origin in pairs:
        if _may_be_on_a_list(dependency, origin):
            wishes[dependency.ecosystem].add(dependency.name)
    libraries = read_packages(wishes)
    lists = read_list_repositories() if libraries else {}
    result: list[Pair] = []
    for dependency, origin in pairs:
        library = libraries.get((dependency.ecosystem, dependency.name))
        if library is None or not _may_be_on_a_list(dependency, origin):
            result.append((dependency, origin))
        elif origin is None:
            source = f"list {lists.get(library.source, library.source)}, {library.day}"
            result.append((dependency, Origin(library.repository, source)))
        else:
            names = {name.lower() for name in (library.repository, *library.formerly)}
            is_claim = origin.repository.lower() not in names
            result.append((dependency, origin._replace(is_claim=is_claim)))
    return result


def _may_be_on_a_list(dependency: Dependency, origin: Origin | None) -> bool:
    is_open = origin is None or origin.is_claim
    return is_open and dependency.ecosystem in ECOSYSTEMS and is_public(dependency)


def find_neighbours(repositories: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Return repository → (title of a category, other repository) of the most starred in its categories."""
    libraries = read_libraries(repositories)
    categories = {name for row in libraries.values() for name in row.categories}
    members = read_neighbours(categories, NEIGHBOURS)
    return {
        repository: [
            (title, name)
            for category in libraries[repository.lower()].categories
            for title, name in members.get(category, ())
            if name != libraries[repository.lower()].repository
        ]
        for repository in repositories
        if repository.lower() in libraries
    }
