"""Where a history lies: a local clone as it is, a remote one as a blobless clone in the user's cache."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from advisor import addresses
from advisor.collect.git.command import git
from advisor.errors import GitFailed, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_FETCHED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/pull/*:refs/pull/*")


def locate(
    where: str, cache: Path, repository: str | None, progress: Callable[[str], None]
) -> tuple[Path, str]:
    """The folder of a history and its ``owner/name``; a remote one is cloned or brought up to date.

    Raises:
        InputError: ``where`` is no repository, URL or path, or cannot say whose history it is.
        RepositoryNotFound: the remote has no such repository.
        GitFailed: git ended with an error.
    """
    if where.startswith("-") or "\0" in where:
        raise InputError(f"{where!r} is not a repository; give owner/name, a URL or a path")
    if Path(where).is_dir():
        return Path(where), addresses.check_repository(repository or _origin(Path(where)))
    if re.match(r"(?:https|ssh|file)://", where):
        url = where
        name = repository or "/".join(where.removesuffix(".git").rstrip("/").split("/")[-2:])
    else:
        name = where
        url = f"https://github.com/{where}.git"
    addresses.check_repository(name)
    return _cloned(url, cache / f"{name.replace('/', '__')}.git", progress), name


def _origin(folder: Path) -> str:
    try:
        url = git(folder, "config", "--get", "remote.origin.url").strip()
    except GitFailed:
        raise InputError(
            f"{folder} names no origin; say whose history it is with --name owner/name"
        ) from None
    return "/".join(re.split(r"[/:]", url.removesuffix(".git").rstrip("/"))[-2:])


def _cloned(url: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """A bare clone without file contents, made whole or not at all, then brought up to date."""
    if not folder.exists():
        progress(f"cloning {url}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".cloning-") as temporary:
            fresh = Path(temporary) / "git"
            git(None, "clone", "--quiet", "--bare", "--filter=blob:none", "--", url, str(fresh), remote=True)
            shutil.move(fresh, folder)
    progress(f"fetching {url}")
    git(folder, "fetch", "--quiet", "--prune", "--filter=blob:none", "origin", *_FETCHED, remote=True)
    return folder


def fetch_blobs(folder: Path, blobs: set[str]) -> None:
    """Bring these contents, in one fetch, into a clone that was made without any."""
    try:
        promisor = git(folder, "config", "--get", "remote.origin.promisor").strip() == "true"
    except GitFailed:
        return
    if promisor and blobs:
        asked = "".join(f"{blob}\n" for blob in sorted(blobs))
        git(
            folder, "fetch", "--quiet", "--no-tags", "--filter=blob:none", "--stdin", "origin",
            remote=True, given=asked,
        )  # fmt: skip
