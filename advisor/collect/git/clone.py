"""Find or make the clone of a history: a view of local ones, a clone in the user's cache of remote ones."""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from advisor import addresses
from advisor.collect.git.clone_cache import CLONING, lock_clone, remove_clone, remove_leftovers
from advisor.collect.git.command import run_git
from advisor.collect.git.local_clone import ORIGIN_HEAD, choose_head, open_local_clone, read_origin
from advisor.errors import GitFailed, InputError
from advisor.files import draft_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_FETCH_BYTES = 256 * 2**20
"""Compressed bytes of file contents; those of all READMEs of a history have a few MB."""
_REFSPECS = (
    f"+HEAD:{ORIGIN_HEAD}",
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    "+refs/pull/*:refs/pull/*",
)


@contextmanager
def open_history(
    where: str, cache: Path, repository: str | None, progress: Callable[[str], None]
) -> Iterator[tuple[Path, str]]:
    """Yield the folder of a history and its ``owner/name``; clone or update a remote history.

    The folder is a bare repository with a configuration of advisor's. Use it only in the block: another
    process may remove it later.

    Raises:
        InputError: ``where`` is not a repository, URL or path, or has no ``owner/name``.
        RepositoryNotFound: the remote does not have the repository.
        GitFailed: git failed, or the history is empty or incomplete.
    """
    if where.startswith("-") or "\0" in where:
        raise InputError(f"invalid repository {where!r}: expected owner/name, a URL or a path")
    remove_leftovers(cache)
    if Path(where).is_dir():
        name = addresses.check_repository(repository or _find_name(read_origin(Path(where))))
        with open_local_clone(Path(where), cache) as folder:
            _check_not_empty(folder, where)
            yield folder, name
        return
    if re.match(r"(?:https|ssh|file)://", where):
        url = where
        name = repository or _find_name(where)
    else:
        name = addresses.check_place(where)
        url = _build_github_url(where)
    addresses.check_repository(name)
    clone_name = _name_clone(url, name)
    with lock_clone(cache, clone_name) as lock:
        folder = cache / f"{clone_name.replace('/', '__')}.git"
        _clone_or_fetch(url, folder, lock, progress)
        _check_not_empty(folder, url)
        yield folder, name


def _find_name(url: str) -> str:
    return "/".join(re.split(r"[/:]", url.removesuffix(".git").rstrip("/"))[-2:])


def _build_github_url(name: str) -> str:
    return f"https://github.com/{name}.git"


def _name_clone(url: str, name: str) -> str:
    """Return the name of a clone in the cache: each address has a clone of its own."""
    if url == _build_github_url(name):
        return name
    return f"{name}@{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def _check_not_empty(folder: Path, where: str) -> None:
    try:
        run_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    except GitFailed:
        raise GitFailed(f"{where}: the history is empty") from None


def _clone_or_fetch(url: str, folder: Path, lock: int, progress: Callable[[str], None]) -> None:
    """Clone without file contents (a failed clone leaves nothing behind), then fetch."""
    if folder.exists() and _read_setting(folder, "remote.origin.url") != url:
        remove_clone(folder)  # an older version of advisor shared a clone between addresses
    if not folder.exists():
        progress(f"cloning {url}")
        with draft_folder(folder.parent, CLONING) as work_folder:
            clone = work_folder.absolute() / "git"
            run_git(
                None, "clone", "--quiet", "--bare", "--template=", "--filter=blob:none", "--", url,
                str(clone), remote=True,
            )  # fmt: skip
            if (clone / "shallow").exists():
                raise GitFailed(
                    f"{url} is a shallow clone, so older commits are missing: "
                    "complete it there with git fetch --unshallow"
                )
            shutil.move(clone, folder)
    progress(f"fetching {url}")
    try:
        run_git(
            folder, "fetch", "--quiet", "--prune", "--filter=blob:none", "origin", *_REFSPECS,
            remote=True, lock=lock,
        )  # fmt: skip
    except GitFailed as error:
        if "remote ref HEAD" not in str(error):
            raise
        if run_git(folder, "for-each-ref", "--count=1", "refs/heads"):
            raise GitFailed(
                f"{url} has no default branch: its HEAD names a branch that does not exist; "
                "set it there with git symbolic-ref HEAD refs/heads/BRANCH"
            ) from None
        raise GitFailed(f"{url}: the history is empty") from None
    choose_head(folder)


def _read_setting(folder: Path, key: str) -> str | None:
    try:
        return run_git(folder, "config", "--get", key).removesuffix("\n")
    except GitFailed:
        return None


def fetch_blobs(folder: Path, blobs: set[str], max_bytes: int | None = None) -> None:
    """Fetch these blobs at once into a blobless clone; do nothing in a full clone.

    Hosts state no sizes before they send the contents, so the size of what arrives is limited.

    Args:
        folder: the clone.
        blobs: object names.
        max_bytes: compressed bytes that all of them may have; default: `MAX_FETCH_BYTES`.

    Raises:
        GitFailed: git failed, or they have more bytes.
    """
    if blobs and _read_setting(folder, "remote.origin.promisor") == "true":
        names = "".join(f"{blob}\n" for blob in sorted(blobs))
        run_git(
            folder, "fetch", "--quiet", "--no-tags", "--filter=blob:none", "--stdin", "origin",
            remote=True, stdin=names, max_file_bytes=max_bytes or MAX_FETCH_BYTES,
        )  # fmt: skip
