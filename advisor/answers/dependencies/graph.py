"""Finds the path from the project to each package of a lock file, and the groups that need it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from advisor.answers.dependencies import Dependency

PATH_LIMIT = 20
"""Most names in a path; the first ones, which a project can change, stay."""
GROUP_LIMIT = 100
"""Most groups that are followed; hostile locks have thousands."""

Groups = tuple[str, ...]


def trace(
    dependencies: Sequence[Dependency], roots: Mapping[str, Groups], *, sets_groups: bool = False
) -> list[Dependency]:
    """Return the packages with the shortest path from the project to each.

    Args:
        dependencies: packages of a lock file, with what each requires.
        roots: names that the project itself requires → groups; none: it is always needed.
        sets_groups: whether a package belongs to the groups of the packages that need it, because the file
            does not say it of the package itself.
    """
    edges: dict[str, list[str]] = {}
    for dependency in dependencies:
        edges.setdefault(dependency.name, []).extend(dependency.requires)
    paths = _find_paths(roots, edges)
    groups = _find_groups(roots, edges) if sets_groups else {}
    return [
        replace(
            d, parents=paths.get(d.name), groups=groups.get(d.name, d.groups) if sets_groups else d.groups
        )
        for d in dependencies
    ]


def _find_paths(starts: Iterable[str], edges: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    paths: dict[str, tuple[str, ...]] = dict.fromkeys(starts, ())
    queue = deque(paths)
    while queue:
        name = queue.popleft()
        path = paths[name] if len(paths[name]) >= PATH_LIMIT else (*paths[name], name)
        for other in edges.get(name, ()):
            if other not in paths:
                paths[other] = path
                queue.append(other)
    return paths


def _find_groups(roots: Mapping[str, Groups], edges: Mapping[str, Iterable[str]]) -> dict[str, Groups]:
    starts: dict[str, list[str]] = {}
    for name, groups in roots.items():
        for group in groups:
            starts.setdefault(group, []).append(name)
    always = _find_paths((n for n, groups in roots.items() if not groups), edges)
    result: dict[str, Groups] = {}
    for group in list(starts)[:GROUP_LIMIT]:
        for name in _find_paths(starts[group], edges):
            if name not in always:
                result[name] = (*result.get(name, ()), group)
    return result
