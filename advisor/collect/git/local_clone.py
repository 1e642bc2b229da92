"""Read a local clone without its configuration, because a foreign configuration can start programs.

``git help git`` says under "Security": it is not safe to run git in a ``.git`` folder from an untrusted
source. So git never runs there. A new bare repository gets copies of the clone's refs and reads objects
from the clone's folders. Its configuration is advisor's own; hooks, settings, includes, replacements and
remotes of the clone do not exist for it. It writes nothing into the clone and fetches nothing.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from advisor.collect.git.clone_cache import READING
from advisor.collect.git.command import run_git
from advisor.errors import GitFailed, InputError
from advisor.files import draft_folder
from advisor.write_errors import report_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CONFIG_BYTES = 2**20
_MAX_REF_BYTES = 2**12
_MAX_REFS_BYTES = 2**28
_MAX_NESTING = 5  # as git
ORIGIN_HEAD = "refs/remotes/origin/HEAD"
"""The default branch of the remote, where a clone knows it."""


class _GitFolder(NamedTuple):
    """Where a clone has its files: ``head`` differs from ``common`` in a linked work tree."""

    head: Path
    common: Path


def read_origin(folder: Path) -> str:
    """Return the address of the remote ``origin`` of a local clone.

    Raises:
        InputError: the folder is not a clone, or it has no such remote.
        GitFailed: its configuration cannot be read.
    """
    try:
        return _read_settings(_find_git_folder(folder))["remote.origin.url"]
    except KeyError:
        raise InputError(
            f"{folder} has no remote named origin: name the repository with --name owner/name"
        ) from None


@contextmanager
def open_local_clone(folder: Path, cache: Path) -> Iterator[Path]:
    """Yield a bare repository with the history of a local clone; it exists during the block.

    ``HEAD`` is the default branch of the remote (``origin/HEAD``), or what is checked out if the clone does
    not know the default branch, or the only branch if ``HEAD`` names none that exists.

    Args:
        folder: the clone, bare or with a work tree, or a folder in its work tree.
        cache: folder for the bare repository.

    Raises:
        InputError: the folder is not a clone.
        GitFailed: the clone is shallow or cannot be read.
    """
    git_folder = _find_git_folder(folder)
    settings = _read_settings(git_folder)
    if settings.get("extensions.refstorage", "files") != "files":
        raise GitFailed(
            f"{folder} has its refs in another format than files: "
            f"convert them with git -C {folder} refs migrate --ref-format=files"
        )
    if (git_folder.common / "shallow").exists():
        raise GitFailed(
            f"{folder} is a shallow clone, so older commits are missing: "
            f"complete it with git -C {folder} fetch --unshallow"
        )
    objects = _list_object_folders(git_folder.common / "objects")
    with draft_folder(cache, READING) as work_folder:
        view = work_folder.absolute() / "git"
        try:
            run_git(
                None, "init", "--quiet", "--bare", "--template=",
                f"--object-format={settings.get('extensions.objectformat', 'sha1')}", "--", str(view),
            )  # fmt: skip
            lines = [b'"%s"\n' % _quote(os.fsencode(f)) for f in objects]
            (view / "objects" / "info").mkdir(exist_ok=True)
            _write(view / "objects" / "info" / "alternates", b"".join(lines))
            _copy_refs(git_folder, view)
            choose_head(view)
            _replace_missing_head(view)
            if settings.get("remote.origin.partialclonefilter", "").startswith("tree:"):
                _check_trees(view)
            yield view
        except GitFailed as error:
            raise type(error)(str(error).replace(str(view), str(folder))) from None


def _find_git_folder(folder: Path) -> _GitFolder:
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_file():  # a linked work tree or a submodule
            text = _read_small(git, _MAX_REF_BYTES).decode("utf-8", "surrogateescape")
            head = place / text.removeprefix("gitdir:").strip()
        elif git.is_dir():
            head = git
        elif (place / "HEAD").is_file() and (place / "objects").is_dir():
            head = place
        else:
            continue
        common_file = head / "commondir"
        if not common_file.exists():
            return _GitFolder(head, head)
        text = _read_small(common_file, _MAX_REF_BYTES).decode("utf-8", "surrogateescape")
        return _GitFolder(head, (head / text.strip()).resolve())
    raise InputError(f"{folder} is not a git repository: give owner/name, a URL or the path of a clone")


def _read_settings(git_folder: _GitFolder) -> dict[str, str]:
    """Return the settings of a clone, as text only; git does not act on a file that it gets by name."""
    path = git_folder.common / "config"
    if not path.exists():
        return {}
    _read_small(path, _MAX_CONFIG_BYTES)
    listing = run_git(None, "config", "--file", str(path.absolute()), "--no-includes", "--list", "-z")
    return {key: value for key, _, value in (entry.partition("\n") for entry in listing.split("\0"))}


def _list_object_folders(objects: Path) -> list[Path]:
    """Return a folder of objects and all folders that it borrows objects from (``git help clone``)."""
    folders: list[Path] = []
    level = [objects.resolve()]
    for _ in range(_MAX_NESTING + 1):
        next_level = []
        for folder in level:
            if folder in folders or not folder.is_dir():
                continue
            _check_files(folder)
            folders.append(folder)
            alternates = folder / "info" / "alternates"
            lines = _read_small(alternates, _MAX_CONFIG_BYTES).split(b"\n") if alternates.exists() else []
            for line in lines:
                if line.startswith(b'"'):
                    raise GitFailed(
                        f"{alternates} has a path in quotation marks, which advisor does not read"
                    )
                if line and not line.startswith(b"#"):
                    next_level.append((folder / os.fsdecode(line)).resolve())
        level = next_level
    return folders


def _check_files(folder: Path) -> None:
    """Raise unless there are only plain files and folders: git would wait for a pipe or a device.

    Raises:
        GitFailed: there is something else.
    """
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(at, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise GitFailed(f"{path} is neither a file nor a folder: it does not belong in a clone")


def _quote(path: bytes) -> bytes:
    return path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _copy_refs(git_folder: _GitFolder, view: Path) -> None:
    """Copy HEAD and all refs; a replacement of objects (``refs/replace``) would forge the history."""
    _write(view / "HEAD", _read_small(git_folder.head / "HEAD", _MAX_REF_BYTES))
    if (git_folder.common / "packed-refs").exists():
        _write(view / "packed-refs", _read_small(git_folder.common / "packed-refs", _MAX_REFS_BYTES))
    refs = git_folder.common / "refs"
    for at, folders, files in os.walk(refs):
        if Path(at) == refs and "replace" in folders:
            folders.remove("replace")
        target = view / "refs" / Path(at).relative_to(refs)
        target.mkdir(exist_ok=True)
        for name in files:
            _write(target / name, _read_small(Path(at, name), _MAX_REF_BYTES))


def _write(path: Path, content: bytes) -> None:
    with report_write_errors(path):
        path.write_bytes(content)


def _read_small(path: Path, limit: int) -> bytes:
    """Return the content of a plain file.

    Raises:
        GitFailed: it is not a plain file, is larger than the limit, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise GitFailed(f"{path} is not a plain file of at most {limit:,} bytes: this is no usual clone")
        return path.read_bytes()
    except OSError as error:
        raise GitFailed(f"{path} cannot be read: {error.strerror}") from None


def choose_head(repository: Path) -> None:
    """Set HEAD to the remote's default branch, if the repository knows it and has its commits."""
    if not _has_ref(repository, ORIGIN_HEAD):
        return
    try:
        commit = run_git(repository, "rev-parse", "--verify", "--quiet", f"{ORIGIN_HEAD}^{{commit}}").strip()
    except GitFailed:
        return
    run_git(repository, "update-ref", "--no-deref", "HEAD", commit)


def _replace_missing_head(repository: Path) -> None:
    """Set HEAD to the only branch if it names a branch that does not exist.

    Raises:
        GitFailed: there are several branches.
    """
    kind, _, head = (repository / "HEAD").read_text("utf-8", "surrogateescape").strip().partition(" ")
    if kind != "ref:" or _has_ref(repository, head):
        return
    branches = run_git(repository, "for-each-ref", "--format=%(refname)", "refs/heads").split()
    if not branches:
        return
    if len(branches) > 1:
        raise GitFailed(
            f"{repository} has no default branch: HEAD names {head}, which does not exist; choose one of its "
            f"{len(branches)} branches with git -C {repository} symbolic-ref HEAD {branches[0]}"
        )
    run_git(repository, "symbolic-ref", "HEAD", branches[0])


def _has_ref(repository: Path, name: str) -> bool:
    """Return whether a repository has a ref, without a git process; `build_environment` sets the format."""
    packed_refs = repository / "packed-refs"
    line = f" {name}\n".encode("utf-8", "surrogateescape")
    return (repository / name).is_file() or (packed_refs.is_file() and line in packed_refs.read_bytes())


def _check_trees(repository: Path) -> None:
    """Check that the first commit of a clone that once had a filter for trees has its tree.

    Raises:
        GitFailed: it is not there.
    """
    first = run_git(repository, "rev-list", "--max-parents=0", "HEAD").split()[-1]
    try:
        run_git(repository, "cat-file", "-e", f"{first}^{{tree}}")
    except GitFailed:
        raise GitFailed(
            f"{repository} is a clone without trees (--filter=tree): "
            f"complete it with git -C {repository} fetch --refetch --filter=blob:none"
        ) from None
