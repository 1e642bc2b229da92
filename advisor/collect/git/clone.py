"""Find or make the clone of a history: local ones as they are, remote ones in the user's cache."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from advisor import addresses
from advisor.collect.git.command import run_git
from advisor.errors import GitFailed, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/pull/*:refs/pull/*")


def locate_history(
    where: str, cache: Path, repository: str | None, progress: Callable[[str], None]
) -> tuple[Path, str]:
    """Return the folder of a history and its ``owner/name``; clone or update a remote history.

    Raises:
        InputError: ``where`` is not a repository, URL or path, or has no ``owner/name``.
        RepositoryNotFound: the remote does not have the repository.
        GitFailed: git failed.
    """
    if where.startswith("-") or "\0" in where:
        raise InputError(f"invalid repository {where!r}: expected owner/name, a URL or a path")
    if Path(where).is_dir():
        return Path(where), addresses.check_repository(repository or _read_origin(Path(where)))
    if re.match(r"(?:https|ssh|file)://", where):
        url = where
        name = repository or "/".join(where.removesuffix(".git").rstrip("/").split("/")[-2:])
    else:
        name = where
        url = f"https://github.com/{where}.git"
    addresses.check_repository(name)
    return _clone_or_fetch(url, cache / f"{name.replace('/', '__')}.git", progress), name


def _read_origin(folder: Path) -> str:
    try:
        url = run_git(folder, "config", "--get", "remote.origin.url").strip()
    except GitFailed:
        raise InputError(
            f"{folder} has no remote named origin: name the repository with --name owner/name"
        ) from None
    return "/".join(re.split(r"[/:]", url.removesuffix(".git").rstrip("/"))[-2:])


def _clone_or_fetch(url: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """Clone without file contents (a failed clone leaves nothing behind), then fetch."""
    if not folder.exists():
        progress(f"cloning {url}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".cloning-") as temporary:
            clone = Path(temporary) / "git"
            run_git(
                None, "clone", "--quiet", "--bare", "--filter=blob:none", "--", url, str(clone), remote=True
            )
            shutil.move(clone, folder)
    progress(f"fetching {url}")
    run_git(folder, "fetch", "--quiet", "--prune", "--filter=blob:none", "origin", *_REFSPECS, remote=True)
    return folder


def fetch_blobs(folder: Path, blobs: set[str]) -> None:
    """Fetch these blobs at once into a blobless clone; do nothing in a full clone."""
    try:
        is_blobless = run_git(folder, "config", "--get", "remote.origin.promisor").strip() == "true"
    except GitFailed:
        return
    if is_blobless and blobs:
        names = "".join(f"{blob}\n" for blob in sorted(blobs))
        run_git(
            folder, "fetch", "--quiet", "--no-tags", "--filter=blob:none", "--stdin", "origin",
            remote=True, stdin=names,
        )  # fmt: skip
