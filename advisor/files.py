"""The user's folders, and atomic replacement of files."""

from __future__ import annotations

import codecs
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from advisor.errors import InputError, describe_read_error

try:
    import fcntl
except ImportError:  # Windows has no locks of folders
    fcntl = None  # type: ignore[assignment]  # a module elsewhere


def data_home() -> Path:
    """Return the user's data folder, as the system has it: facts, cloned histories, runs.

    ``$XDG_DATA_HOME/advisor`` where that is set, on every system; else ``~/.local/share/advisor`` on Linux.
    """
    return _find_folder("XDG_DATA_HOME", ".local/share", "user_data_path")


def cache_home() -> Path:
    """Return the user's cache folder, as the system has it: tokens, models, stack environments.

    ``$XDG_CACHE_HOME/advisor`` where that is set, on every system; else ``~/.cache/advisor`` on Linux.
    """
    return _find_folder("XDG_CACHE_HOME", ".cache", "user_cache_path")


def home_folder() -> Path:
    """Return the user's home folder; ``/``, as in a container, for a user who has none."""
    home = expand_home("~")
    return home if home.is_absolute() else Path("/")


def expand_home(path: str | Path) -> Path:
    """Return a path with the home folder for ``~``; the name of an unknown user stays, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises for an unknown user


def _find_folder(variable: str, linux_folder: str, kind: str) -> Path:
    if (folder := os.environ.get(variable)) or sys.platform == "linux":
        return Path(folder or home_folder() / linux_folder) / "advisor"
    import platformdirs  # as slow to import as all that `rank` needs, so not on Linux

    path: Path = getattr(platformdirs, kind)("advisor", appauthor=False)
    return path


def state_home() -> Path:
    """Return the user's state folder, as the system has it: unfinished collections, which have logins."""
    return _find_folder("XDG_STATE_HOME", ".local/state", "user_state_path")


TEXT_LIMIT_BYTES = 64 * 2**20
"""A text that a person writes is smaller."""


def read_text(path: Path, limit_bytes: int = TEXT_LIMIT_BYTES) -> str:
    """Return the text of a file, with line ends of one kind.

    Raises:
        InputError: it cannot be read, is no ordinary file, is not UTF-8 or is larger than the limit.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # opening a folder gives the usual error
            raise InputError(f"{path} cannot be read: it is a device or a pipe, not a file")
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)  # the size of a file in /proc is 0
    except OSError as error:
        raise InputError(describe_read_error(path, error)) from None
    except ValueError:  # a name with NUL
        raise InputError(f"{str(path)!r} is not the name of a file") from None
    if len(content) > limit_bytes:
        raise InputError(f"{path} is larger than {limit_bytes // 2**20} MiB")
    return decode(path, content)


# The longest first: the mark of UTF-16 is the start of that of UTF-32. PowerShell's `>` writes UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def decode(path: Path, content: bytes) -> str:
    """Return the text of bytes, with line ends of one kind; a byte order mark names its encoding.

    Raises:
        InputError: it is not UTF-8, and no mark names another encoding.
    """
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        # universal newlines, as Path.read_text has them
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not {encoding.removesuffix('-sig').upper()} text") from None


DRAFT_PREFIX = ".draft."


@contextmanager
def draft_file(folder: Path) -> Iterator[Path]:
    """Create an empty file in a folder; delete it at the end of the block unless `publish` moved it.

    Raises:
        OSError: the folder or the file cannot be created; it names the folder.
    """
    with _name_in_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=DRAFT_PREFIX)
        os.close(handle)
    draft = Path(name)
    try:
        yield draft
    finally:
        for name in (draft.name, f"tmp_{draft.name}"):  # DuckDB writes into the second one first
            draft.with_name(name).unlink(missing_ok=True)


@contextmanager
def draft_folder(folder: Path, prefix: str) -> Iterator[Path]:
    """Create a folder that disappears at the end of the block, or in the next call after a kill.

    The draft is locked during the block. Drafts with the same prefix that no process has locked are those of
    killed processes. Where the system or the file system has no locks, nothing is deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_dead_drafts(folder, prefix)
    handle = None
    while True:
        draft = Path(tempfile.mkdtemp(dir=folder, prefix=prefix))
        if fcntl is None:
            break
        with suppress(FileNotFoundError):  # another process took it for that of a killed one, before the lock
            handle = os.open(draft, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if draft.exists():
                break
            os.close(handle)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_dead_drafts(folder: Path, prefix: str) -> None:
    """Delete the drafts of killed processes; see `draft_folder`."""
    remove_unused_folders(folder.glob(f"{prefix}????????"))  # as mkdtemp names them


def remove_unused_folders(folders: Iterable[Path]) -> None:
    """Delete the folders that no process has locked; none where the system has no locks."""
    for folder in folders if fcntl is not None else ():
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def publish(draft: Path, path: Path, *, sync: bool = True) -> None:
    """Move a draft to its final name in the same folder: sync, rename, sync.

    After a crash the folder has either the old file or the new one, complete. With ``sync=False`` that holds
    only if the caller syncs later: for many files, one `os.sync` is faster.
    """
    if sync:
        with draft.open("rb") as file:
            os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(path)
    if not sync or os.name == "nt":  # Windows opens no folder; it syncs the new name itself
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomically(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Replace a file; after a crash it has either the old or the new content.

    What is there and no file, for example ``/dev/stdout`` or a pipe, is written and never replaced.

    Raises:
        OSError: the file cannot be written; the old content stays. It names the file.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with _name_in_errors(path):
            path.write_bytes(data)
        return
    with _name_in_errors(path), draft_file(path.parent) as draft:
        draft.write_bytes(data)
        publish(draft, path, sync=sync)


@contextmanager
def _name_in_errors(path: Path) -> Iterator[None]:
    """Give an `OSError` of the block this path: that of a write has none, and nobody knows a draft."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
