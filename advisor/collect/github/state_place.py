"""Where the state of a collection is: in the user's state folder, because it has logins.

A copy of a store takes nothing of it along. The store has only a random name in ``.collection``; the folder
of this name in the user's state folder has the state, and the path of the store in ``store``. A copied store
gets a new name, a moved one keeps its name, and the next collection deletes the state of deleted stores.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from advisor.facts.checks import check_size
from advisor.files import draft_file, state_home, write_atomically

FILE = "collect.sqlite"
NAME_FILE = ".collection"
_QUEUE, _PARTS = ".queue", "repositories"
_NAME = re.compile(r"[0-9a-f]{32}")
_WAL_FILES = (FILE, f"{FILE}-wal", f"{FILE}-shm")


def state_file(store: Path) -> Path:
    """Return the path of a store's state; create its folder, which is for the user alone.

    Raises:
        OSError: the store or the state folder cannot be written.
    """
    for old_file in _WAL_FILES:  # of earlier versions, which kept logins in the store
        (store / old_file).unlink(missing_ok=True)
    path = os.path.realpath(store)
    folder = _read_folder(store)
    if folder is not None and _is_of_another(folder, path):
        (store / NAME_FILE).unlink()
        folder = None
    folder = folder or _name_folder(store)
    for parent in (_home(), folder):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _read_text(folder / "store") != path:
        write_atomically(folder / "store", os.fsencode(path))
    _remove_orphans()
    return folder / FILE


def _name_folder(store: Path) -> Path:
    """Give a store a name, or take that of a process that was faster; return the folder."""
    with draft_file(store) as draft:
        draft.write_text(secrets.token_hex(16))
        with suppress(FileExistsError):
            os.link(draft, store / NAME_FILE)
    folder = _read_folder(store)
    if folder is None:
        raise OSError(0, "not a name that advisor gave; delete the file", str(store / NAME_FILE))
    return folder


def keep_part(part: Path, store: Path, stem: str) -> None:
    """Move the state of a part of a queue to that of the store, under the name of its repository."""
    folder = _read_folder(part)
    if folder is None or not (folder / FILE).exists():
        return
    target = state_file(store).parent / _PARTS / stem
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700, parents=True)
    for name in _WAL_FILES:
        if (folder / name).exists():
            (folder / name).replace(target / name)
    shutil.rmtree(folder)


def copy_to_part(store: Path, stem: str, part: Path) -> None:
    """Copy the state of a repository, from an earlier run of the queue, to its new part."""
    folder = _read_folder(store)
    if folder is None or _is_of_another(folder, os.path.realpath(store)):
        return
    source = folder / _PARTS / stem
    if (source / FILE).exists():
        target = state_file(part).parent
        for name in _WAL_FILES:
            if (source / name).exists():
                shutil.copy2(source / name, target / name)


def _home() -> Path:
    return state_home() / "collections"


def _read_folder(store: Path) -> Path | None:
    """Return the folder that a store names; None if it names none. The name may come from a stranger."""
    try:
        check_size(store / NAME_FILE, 100)
    except OSError:
        return None
    name = _read_text(store / NAME_FILE)
    return _home() / name if _NAME.fullmatch(name) else None


def _is_of_another(folder: Path, path: str) -> bool:
    """Return whether a folder belongs to another store that still exists: this one is a copy of it."""
    owner = _read_text(folder / "store")
    return owner not in {"", path} and _read_folder(Path(owner)) == folder


def _remove_orphans() -> None:
    """Delete the state of stores that are gone; not if their disk may only be missing."""
    for folder in _home().iterdir():
        owner = _read_text(folder / "store").partition(f"/{_QUEUE}/")[0]
        if owner and not Path(owner).exists() and Path(owner).parent.exists():
            shutil.rmtree(folder, ignore_errors=True)


def _read_text(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""
