"""Find the commit of each release on the package index."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

from advisor.collect.coverage.history import PackageRelease
from advisor.collect.git.command import run_git
from advisor.collect.git.releases import read_releases
from advisor.collect.imports.csv_rows import read_rows

COLUMNS = ("repository", "version", "released_at")


def read_uploads(path: Path) -> dict[str, dict[str, datetime]]:
    """Read repository → version → time of upload from a CSV file.

    Raises:
        InputError: a cell is invalid.
    """
    rows = read_rows(
        path,
        COLUMNS,
        lambda cells: {
            "repository": cells.read_repository(),
            "version": cells.read_text("version"),
            "released_at": cells.read_time("released_at"),
        },
    )
    return {name: {r["version"]: r["released_at"] for r in uploads} for name, uploads in rows.items()}


def match_releases(folder: Path, uploads: dict[str, datetime]) -> list[PackageRelease]:
    """Return the final releases with their commits, oldest first.

    The commit of a version is that of its tag, else the last commit on the default branch at the time of
    upload. Without uploads, every tag is a release.
    """
    tags = {r["tag"]: r for r in read_releases(folder) if not r["is_prerelease"]}
    by_version = {re.sub(r"^v(?=\d)", "", tag): tag for tag in tags}
    if not uploads:
        return sorted(
            (
                PackageRelease(v, date.fromisoformat(tags[t]["released_on"]), _find_tag_commit(folder, t))
                for v, t in by_version.items()
            ),
            key=lambda r: (r.day, r.version),
        )
    releases = []
    for version, moment in uploads.items():
        tag = by_version.get(version)
        commit = _find_tag_commit(folder, tag) if tag else _find_commit_at(folder, moment)
        if commit:
            releases.append(PackageRelease(version, moment.date(), commit))
    return sorted(releases, key=lambda r: (r.day, r.version))


def _find_tag_commit(folder: Path, tag: str) -> str:
    return run_git(folder, "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}").strip()


def _find_commit_at(folder: Path, moment: datetime) -> str:
    return run_git(
        folder, "rev-list", "-1", "--first-parent", f"--before={moment.isoformat()}", "HEAD"
    ).strip()
