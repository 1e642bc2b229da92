"""Say in one message why a file cannot be written, with its path and what to do.

A full disk, a read-only disk and missing rights reach a command as errors of Python, DuckDB or SQLite.
Every file is replaced only after its new content is complete, so nothing is lost.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.errors import AdvisorError, CannotWrite, InputError
from advisor.files import DRAFT_PREFIX

_FREE_SPACE = "free some space there, or use a folder on another disk (TMPDIR for temporary files)"
_CHOOSE_ANOTHER = "choose another folder, or change its permissions"
_REMEDIES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "choose a folder that is not read-only",
    errno.EACCES: _CHOOSE_ANOTHER,
    errno.EPERM: _CHOOSE_ANOTHER,
    errno.EIO: "check the disk, or use a folder on another one",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs",
}
_WRONG_PATHS = {
    errno.ENOTDIR: "choose another path",
    errno.EISDIR: "choose another path",
    errno.EEXIST: "choose another path, or remove what is there",
    errno.ENOENT: "create the folder first, or choose another path",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "choose another path",
}
_CODES = {os.strerror(code): code for code in (*_REMEDIES, *_WRONG_PATHS)}
_PATH_OF_DUCKDB = re.compile(r"(?:file|directory) \"([^\"]+)\"")


def explain_write_error(error: BaseException, path: str | Path | None = None) -> AdvisorError | None:
    """Return the message for an error of Python, DuckDB or SQLite that writing a file caused.

    Args:
        error: the error.
        path: what was written, if the error does not say it.

    Returns:
        `CannotWrite`; `InputError` for a path that no file can have; None for an error with another cause.
    """
    if isinstance(error, OSError):
        code = error.errno
        path = path or error.filename
        if code == errno.ENOENT and path is None:  # from tempfile, which tried all folders
            return CannotWrite(f"{error.strerror}: {_FREE_SPACE}")
    elif (code := _find_sqlite_code(error, path)) is None:
        code, path = _read_duckdb_error(error, path)
    if path and DRAFT_PREFIX in Path(path).name:
        path = Path(path).parent
    remedy = _REMEDIES.get(code or 0) or _WRONG_PATHS.get(code or 0)
    if code is None or remedy is None:
        return None
    text = f"{path or 'a file'} cannot be written: {os.strerror(code)}; {remedy}"
    return InputError(text) if code in _WRONG_PATHS else CannotWrite(text)


def _find_sqlite_code(error: BaseException, path: str | Path | None) -> int | None:
    sqlite3 = sys.modules.get("sqlite3")  # loaded only by the commands that use it, as duckdb
    if sqlite3 is None or not isinstance(error, sqlite3.OperationalError):
        return None
    is_read_only = path is not None and os.statvfs(Path(path).parent).f_flag & os.ST_RDONLY
    codes = {
        sqlite3.SQLITE_FULL: errno.ENOSPC,
        sqlite3.SQLITE_IOERR: errno.EIO,
        sqlite3.SQLITE_READONLY: errno.EROFS,
        sqlite3.SQLITE_CANTOPEN: errno.EROFS if is_read_only else errno.EACCES,
    }
    # Errors of the module itself have no code. The low byte is the code without its details.
    return codes.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _read_duckdb_error(error: BaseException, path: str | Path | None) -> tuple[int | None, str | Path | None]:
    duckdb = sys.modules.get("duckdb")
    if duckdb is None or not isinstance(error, duckdb.IOException):
        return None, path
    text = str(error)
    match = _PATH_OF_DUCKDB.search(text)
    code = next((code for message, code in _CODES.items() if message in text), None)
    return code, path or (match and match[1])


def explain_exit(code: int, message: str, path: str | Path) -> AdvisorError | None:
    """Return the message for a program that a full or read-only disk ended.

    Args:
        code: its exit code.
        message: what it printed.
        path: where it writes.
    """
    causes = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS]
    if code == -signal.SIGXFSZ:  # the limit on the size of files
        return explain_write_error(OSError(errno.EFBIG, ""), path)
    cause = next((cause for cause in causes if os.strerror(cause) in message), None)
    return None if cause is None else explain_write_error(OSError(cause, ""), path)


@contextmanager
def report_write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the system in the block, which writes a file or folder, into one message.

    Raises:
        CannotWrite: a full or read-only disk, or missing rights.
        InputError: no file can have this path.
    """
    try:
        yield
    except Exception as error:
        message = explain_write_error(error, path)
        if message is None:
            raise
        raise message from None
