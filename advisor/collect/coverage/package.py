"""Which commit a release on the package index was made from."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

from advisor.collect.coverage.history import Release
from advisor.collect.git.command import git
from advisor.collect.git.releases import releases as tagged
from advisor.collect.imports.csv_rows import read_rows

COLUMNS = ("repository", "version", "released_at")


def read_index(path: Path) -> dict[str, dict[str, datetime]]:
    """Repository → version → moment of its upload, from a CSV file.

    Raises:
        InputError: a cell is wrong.
    """
    rows = read_rows(
        path,
        COLUMNS,
        lambda cells: {
            "repository": cells.repository(),
            "version": cells.text("version"),
            "released_at": cells.moment("released_at"),
        },
    )
    return {name: {r["version"]: r["released_at"] for r in found} for name, found in rows.items()}


def releases_of(folder: Path, uploads: dict[str, datetime]) -> list[Release]:
    """Final releases with their commits, oldest first.

    A version's commit is that of the tag that is named for it; without one, the last that the default
    branch held when the version was uploaded. Without uploads, the tags are the releases.
    """
    tags = {r["tag"]: r for r in tagged(folder) if not r["is_prerelease"]}
    by_version = {re.sub(r"^v(?=\d)", "", tag): tag for tag in tags}
    if not uploads:
        return sorted(
            (
                Release(v, date.fromisoformat(tags[t]["released_on"]), _commit(folder, t))
                for v, t in by_version.items()
            ),
            key=lambda r: (r.day, r.version),
        )
    found = []
    for version, moment in uploads.items():
        tag = by_version.get(version)
        commit = _commit(folder, tag) if tag else _held_at(folder, moment)
        if commit:
            found.append(Release(version, moment.date(), commit))
    return sorted(found, key=lambda r: (r.day, r.version))


def _commit(folder: Path, tag: str) -> str:
    return git(folder, "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}").strip()


def _held_at(folder: Path, moment: datetime) -> str:
    return git(folder, "rev-list", "-1", "--first-parent", f"--before={moment.isoformat()}", "HEAD").strip()
