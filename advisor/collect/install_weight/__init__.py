"""Collect what an install of a Python package brings, as of a day, from the package index.

The programs that users install with do the work: uv resolves and locks, pip reports the licences of the lock,
pip-audit its advisories. Only `import_time` runs code of the library, and only in an environment that the
user names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from advisor.addresses import check_repository
from advisor.collect import parts
from advisor.collect.install_weight.import_time import ImportTime
from advisor.collect.install_weight.index_reports import read_advisories, read_licences
from advisor.collect.install_weight.lock import Lock, find_lock
from advisor.collect.install_weight.programs import Programs
from advisor.domain.licences import kind_of_expression
from advisor.errors import InputError
from advisor.facts import writing

__all__ = ["collect_import_time", "collect_weight"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def collect_weight(
    repository: str,
    package: str,
    store: Path,
    programs: Programs,
    *,
    day: date,
    may_build: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Lock the newest version of a package as of a day, and add what the lock brings to the store.

    Args:
        repository: ``owner/name``.
        package: its name on the index.
        store: folder of fact tables.
        programs: uv, pip and pip-audit.
        day: files that were published later do not count.
        may_build: whether uv may build a package without a wheel to read its requirements, which runs code.
        progress: receives lines for a person.

    Raises:
        InputError: the name is not that of a package.
        CollectError: a program is missing, or the index could not be read.
    """
    check_repository(repository)
    if not _NAME.fullmatch(package):
        raise InputError(f"invalid name of a package {package!r}: expected a name such as trl")
    lock = find_lock(package, day, programs, may_build=may_build)
    if lock.reason:
        progress(f"{repository}: no lock of {package}: {lock.reason}")
    licences, licence_note = read_licences(lock, programs)
    advisories, advisory_note = read_advisories(lock, programs)
    for note in (licence_note, advisory_note):
        if note:
            progress(f"{repository}: {note}")
    provenance = {
        "repository": repository,
        "source": f"uv lock of {package}",
        "retrieved_at": day.isoformat(),
    }
    rows = [{**row, **provenance} for row in _build_rows(lock, day, licences, advisories)]
    earlier = [row for row in parts.read_part(store, "installs", repository, "") if row["day"] != day]
    writing.write_rows(store, "installs", repository, [*earlier, *rows])
    progress(f"{repository}: {package} {lock.version or '?'} brings {len(lock.parts)} packages")


def collect_import_time(repository: str, store: Path, measurement: ImportTime, *, day: date) -> None:
    """Add the processor time of an import to the store, as of the day of the measurement."""
    row = {
        "day": day.isoformat(),
        "metric": "import_seconds",
        "value": measurement.seconds,
        "low": measurement.seconds,
        "high": measurement.slowest,
        "definition": (
            f"processor time of `import {measurement.module}` ({measurement.version}, Python "
            f"{measurement.python}) without the start of Python, the fastest of {measurement.runs} runs"
        ),
        "repository": repository,
        "source": "measured in an environment",
        "retrieved_at": day.isoformat(),
    }
    parts.add_rows(store, "counts", repository, "import-time", [row], ("day", "metric"))


def _build_rows(
    lock: Lock, day: date, licences: Mapping[str, str], advisories: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return a row for each package of the lock; without a lock, one row that says why."""
    root = {
        "day": day.isoformat(),
        "package": lock.package,
        "version": lock.version,
        "python": lock.python,
        "pythons": " ".join(lock.pythons),
        "systems": " ".join(lock.systems),
        "reason": lock.reason,
    }
    if not lock.parts:
        return [root]
    return [
        {
            **root,
            "part": part.name,
            "part_version": part.version,
            "is_wheel": part.is_wheel,
            "size_bytes": part.size_bytes,
            "licence": licences.get(part.name),
            "licence_kind": kind_of_expression(licences.get(part.name, "")),
            "advisories": advisories.get(part.name),
        }
        for part in lock.parts
    ]
