"""What breaks between two releases of a library, from the facts about its public API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from packaging.version import InvalidVersion, Version

from advisor.answers.libraries import find_repository
from advisor.errors import FactsError, InputError
from advisor.facts.database import fetch_rows
from advisor.facts.facts_view import FactsView
from advisor.facts.store import Store

_TABLE = "api_releases"


@dataclass(frozen=True)
class Break:
    """An incompatible change between two releases.

    Attributes:
        name: import path of a module, class, function or constant.
        member: the method or attribute of the class; None: the object itself.
        kind: ``removed``, ``parameter removed``, … (see the reference of the table ``api_changes``).
        detail: the parameter as ``name@position``, or what else is known; None if nothing is.
        version: the release that broke it.
        day: its day.
        was_announced: whether the release before marked it as deprecated.
        other_names: where an object of the same kind and name is in the new release.
    """

    name: str
    member: str | None
    kind: str
    detail: str | None
    version: str
    day: date
    was_announced: bool
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """Two releases of a library.

    Attributes:
        repository: ``owner/name``.
        old, new: versions.
        old_day, new_day: their days.
        as_of: last day of the facts.
        releases: number of releases from the old to the new one, without the old one.
    """

    repository: str
    old: str
    new: str
    old_day: date
    new_day: date
    as_of: date
    releases: int


@dataclass(frozen=True)
class Upgrade(Span):
    """The breaks between two releases.

    Attributes:
        breaks: in the order of the releases.
        aliases: other import path → the name that a break has.
        notes: how the versions were understood, in words.
    """

    breaks: tuple[Break, ...]
    aliases: Mapping[str, str]
    notes: tuple[str, ...] = ()


def find_library(name: str, stores: Sequence[Store], as_of: date | None = None) -> FactsView:
    """Return the facts about a library in the first store that knows its public API.

    Args:
        name: ``owner/name``, the name of the repository, or the package.
        stores: facts.
        as_of: the day of the answer; None: the newest.

    Raises:
        FactsError: no store does.
        InputError: several libraries have the name.
    """
    facts = _find_facts(name, stores, as_of)
    if facts is None and (repository := find_repository(name, stores)):
        facts = _find_facts(repository, stores, as_of)
    if facts is None:
        raise FactsError(
            f"the facts do not have the public API of {name}: run `advisor collect-stability {name}` first"
        )
    return facts


def _find_facts(name: str, stores: Sequence[Store], as_of: date | None) -> FactsView | None:
    for store in stores:
        for repository in sorted(store.repositories()):
            names = {repository.lower(), repository.rpartition("/")[2].lower()}
            has_api = any(file.startswith(f"{_TABLE}/") for file in store.files.get(repository, ()))
            if name.lower() in names and has_api:
                return FactsView(store, (repository,), as_of or store.as_of)
    return None


def read_upgrade(facts: FactsView, old: str, new: str | None = None) -> Upgrade:
    """Compare two releases of the one library of a view.

    Args:
        facts: the facts about the library.
        old: a version, or a series such as ``0.9``.
        new: the same; None: the newest release.

    Raises:
        InputError: there is no such release, or the new one is not after the old one.
        FactsError: the facts are damaged, or no release could be read.
    """
    if facts.damages:
        raise FactsError("; ".join(map(str, facts.damages)))
    releases = _read(facts, "SELECT version, released_on, reason FROM api_releases ORDER BY released_on")
    known = sorted((r for r in releases if r["reason"] is None), key=lambda r: Version(r["version"]))
    if not known:
        reason = releases[0]["reason"] if releases else f"no release until {facts.as_of}"
        raise FactsError(f"the public API of {facts.repositories[0]} is unknown: {reason}")
    notes: list[str] = []
    start = _find_release(known, old, "--from", notes)
    end = len(known) - 1 if new is None else _find_release(known, new, "--to", notes)
    if end <= start:
        raise InputError(
            f"{known[end]['version']} (--to) is not after {known[start]['version']} (--from): swap them"
        )
    numbers = {r["version"]: number for number, r in enumerate(known)}
    rows = _read(
        facts, "SELECT name, kind, is_alias, added_in, deprecated_on, removed_in, removed_on FROM api_names"
    )
    changes = _read(facts, "SELECT * FROM api_changes WHERE kind <> 'removed' OR member IS NOT NULL")
    before, after = _list_names(rows, numbers, start), _list_names(rows, numbers, end)
    breaks = _find_removals(before, after, rows, numbers, end)
    breaks += [
        Break(
            c["name"],
            c["member"],
            c["kind"],
            c["detail"],
            c["version"],
            c["released_on"],
            c["was_deprecated"],
        )
        for c in changes
        if start < numbers.get(c["version"], -1) <= end and c["name"] in before and c["name"] in after
    ]
    return Upgrade(
        facts.repositories[0],
        known[start]["version"],
        known[end]["version"],
        known[start]["released_on"],
        known[end]["released_on"],
        facts.as_of,
        end - start,
        tuple(
            sorted(breaks, key=lambda b: (numbers[b.version], b.name, b.member or "", b.kind, b.detail or ""))
        ),
        _find_aliases(before),
        tuple(notes),
    )


def _find_release(known: Sequence[Mapping[str, Any]], text: str, option: str, notes: list[str]) -> int:
    """Return the number of a release: of this version, else the newest of its series, else the one before."""
    try:
        version = Version(text)
    except InvalidVersion:
        raise InputError(f"invalid version {text!r} of {option}: expected a version such as 1.16") from None
    versions = [Version(r["version"]) for r in known]
    names = [str(v) for v in versions]
    if str(version) in names:  # 1.5 is the series of 1.5.0 to 1.5.3, unless a release has this very name
        return names.index(str(version))
    series = [n for n, v in enumerate(versions) if v.release[: len(version.release)] == version.release]
    earlier = [n for n, v in enumerate(versions) if v < version]
    if series:
        notes.append(f"{text} is read as {versions[series[-1]]}, the newest release of this series")
        return series[-1]
    if earlier and version < versions[-1]:
        notes.append(f"{text} is not on the main line of releases: {versions[earlier[-1]]} stands for it")
        return earlier[-1]
    raise InputError(f"no release {text} ({option}): the facts have {versions[0]} to {versions[-1]}")


def _list_names(
    rows: Sequence[Mapping[str, Any]], numbers: Mapping[str, int], number: int
) -> dict[str, Mapping[str, Any]]:
    """Return the names that a release has."""
    end = len(numbers)
    return {
        r["name"]: r
        for r in rows
        if numbers.get(r["added_in"], end)
        <= number
        < (numbers.get(r["removed_in"], end) if r["removed_in"] else end)
    }


def _find_removals(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    numbers: Mapping[str, int],
    end: int,
) -> list[Break]:
    places: dict[tuple[str, str], list[str]] = {}
    for name, row in after.items():
        places.setdefault((row["kind"], name.rpartition(".")[2]), []).append(name)
    breaks = []
    for name, row in before.items():
        if name in after:
            continue
        spans = [r for r in rows if r["name"] == name and r["removed_in"] and numbers[r["removed_in"]] <= end]
        last = max(spans, key=lambda r: numbers[r["removed_in"]])
        others = places.get((row["kind"], name.rpartition(".")[2]), [])
        announced_on, removed_on = last["deprecated_on"], last["removed_on"]
        was_announced = announced_on is not None and announced_on < removed_on
        other_names = tuple(sorted(others, key=lambda n: (n.count("."), n))[:2])
        breaks.append(
            Break(name, None, "removed", None, last["removed_in"], removed_on, was_announced, other_names)
        )
    return breaks


def _find_aliases(names: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return alias → best name, for those whose last part and kind only one best name has."""
    best: dict[tuple[str, str], list[str]] = {}
    for name, row in names.items():
        if not row["is_alias"]:
            best.setdefault((row["kind"], name.rpartition(".")[2]), []).append(name)
    aliases = {}
    for name, row in names.items():
        owners = best.get((row["kind"], name.rpartition(".")[2]), [])
        if row["is_alias"] and len(owners) == 1:
            aliases[name] = owners[0]
    return aliases


def _read(facts: FactsView, sql: str) -> list[dict[str, Any]]:
    result = facts.connection.execute(sql)
    columns = [d[0] for d in result.description]
    return [dict(zip(columns, row, strict=True)) for row in fetch_rows(result)]
