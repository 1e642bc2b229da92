"""A queue of repositories on disk: several workers collect from it, and it survives any kill.

The folder ``.queue`` of a store has:

``plan.json``   what to collect, from where, as of which day
``claims/``     a lock file per repository; a worker holds the lock while it collects
``making/``     a partial store per repository; after a kill the next worker resumes it
``parts/``      complete stores, moved here with one rename
``done/``       an empty file per repository whose store was merged
``failed/``     the reason for each failed repository; the next run retries it

A repository is done when its store is in ``parts/`` or merged.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from advisor.collect.github import state_place
from advisor.collect.many import merge
from advisor.errors import FactsError, InputError
from advisor.facts import manifest
from advisor.facts.checks import check_folder
from advisor.facts.store import Store
from advisor.files import write_atomically

_RESUME_FIELDS = ("histories", "packages", "sources", "github_url")
TRIES = 3
"""A run gives up a repository after this many workers died while they collected it."""


@dataclass(frozen=True)
class QueuePlan:
    """What a run collects; it has no secrets.

    Attributes:
        histories: ``owner/name`` → location of its git history.
        packages: ``owner/name`` → package on PyPI; None if it is not known.
        sources: names of the sources.
        day: retrieval day of the rows of histories (YYYY-MM-DD).
        cache: folder of clones.
        cache_limit: largest size of that folder in bytes; None: no limit.
        github_url: URL of a GitHub Enterprise Server; None: github.com.
        max_wait: seconds that a worker waits for rate limits, per repository.
    """

    histories: Mapping[str, str]
    packages: Mapping[str, str | None]
    sources: tuple[str, ...]
    day: str
    cache: str
    cache_limit: int | None = None
    github_url: str | None = None
    max_wait: float = 900.0


class Queue:
    """The queue of one store."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = store / ".queue"
        self._store_cache = ((0, 0), Store(store, {"files": {}}))

    def start_run(self, plan: QueuePlan, day: str | None) -> QueuePlan:
        """Resume an unfinished run of the same repositories and sources, or start a new one.

        Args:
            plan: what to collect, with today as its day.
            day: retrieval day; None: the day of the resumed run, or today for a new run.

        Returns:
            the plan with its final day.
        """
        for name in ("claims", "making", "parts", "done", "failed", "tries"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.merge_parts()
        old = self._read_plan_file()
        is_same = old is not None and all(getattr(old, a) == getattr(plan, a) for a in _RESUME_FIELDS)
        if old is None or not is_same or (day is not None and day != old.day):
            self._clear_folders("done")
            old = None
        plan = replace(plan, day=day or (old.day if old else plan.day))
        stems = {_make_stem(name) for name in self._open_store().files}
        for mark in (self.folder / "done").iterdir():
            if mark.name not in stems:  # its facts were deleted
                mark.unlink()
        self._clear_folders("failed", "tries")
        write_atomically(self.folder / "plan.json", (json.dumps(asdict(plan)) + "\n").encode())
        return plan

    def _clear_folders(self, *kinds: str) -> None:
        for kind in kinds:
            shutil.rmtree(self.folder / kind, ignore_errors=True)
            (self.folder / kind).mkdir()

    def _open_store(self) -> Store:
        """Return the current store; read the manifest again only if the file changed."""
        try:
            status = (self.store / "manifest.json").stat()
        except FileNotFoundError:
            return Store(self.store, {"files": {}})
        if (stamp := (status.st_mtime_ns, status.st_ino)) != self._store_cache[0]:
            self._store_cache = (stamp, Store(self.store, manifest.read_manifest(self.store)))
        return self._store_cache[1]

    def read_plan(self) -> QueuePlan:
        """Return the plan of the run.

        Raises:
            FactsError: the plan is missing or damaged.
        """
        plan = self._read_plan_file()
        if plan is None:
            raise FactsError(f"{self.folder / 'plan.json'} is missing or damaged: start the collection again")
        return plan

    def _read_plan_file(self) -> QueuePlan | None:
        try:
            content = json.loads((self.folder / "plan.json").read_text())
            return QueuePlan(**{**content, "sources": tuple(content["sources"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @contextmanager
    def lock_run(self) -> Iterator[None]:
        """Lock the queue for one leading process.

        Raises:
            InputError: another process has the lock.
        """
        check_folder(self.store)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lead").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another process already collects into {self.store}") from None
            yield

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Lock a repository for this process; yield whether it may collect it.

        The kernel frees the lock if the process dies.
        """
        handle = os.open(self.folder / "claims" / _make_stem(name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield not self.is_settled(name)
        finally:
            os.close(handle)

    def is_done(self, name: str) -> bool:
        """Return whether all facts of a repository are collected."""
        return any((self.folder / kind / _make_stem(name)).exists() for kind in ("done", "parts"))

    def is_settled(self, name: str) -> bool:
        """Return whether this run needs no more work on the repository."""
        return self.is_done(name) or (self.folder / "failed" / _make_stem(name)).exists()

    def prepare_store(self, name: str) -> Path:
        """Return the partial store of a repository: that of a dead worker, or a copy of its current facts.

        Raises:
            FactsError: too many workers died while they collected the repository.
        """
        tries = self.folder / "tries" / _make_stem(name)
        count = len(tries.read_bytes()) if tries.exists() else 0
        if count >= TRIES:
            raise FactsError(f"{count} workers died while they collected it")
        with tries.open("ab") as file:
            file.write(b".")
        partial_store = self.folder / "making" / _make_stem(name)
        if not partial_store.exists():
            partial_store.mkdir()
            store = self._open_store()
            if name in store.files:
                merge.copy_repository(name, store, partial_store)
            state_place.copy_to_part(self.store, _make_stem(name), partial_store)
        return partial_store

    def finish(self, name: str) -> None:
        """Mark the store of a repository as complete, with one rename."""
        (self.folder / "making" / _make_stem(name)).rename(self.folder / "parts" / _make_stem(name))
        parts = os.open(self.folder / "parts", os.O_RDONLY)
        try:
            os.fsync(parts)
        finally:
            os.close(parts)

    def fail(self, name: str, reason: str) -> None:
        """Record why the collection of a repository failed."""
        write_atomically(self.folder / "failed" / _make_stem(name), reason.encode())

    def read_failures(self) -> dict[str, str]:
        """Return repository → reason of its failure."""
        folder = self.folder / "failed"
        return {
            p.name.replace("__", "/", 1): p.read_text() for p in sorted(folder.iterdir()) if p.name[0] != "."
        }

    def merge_parts(self) -> int:
        """Merge all complete parts into the store; after a kill, the next call finishes the merge.

        Returns:
            number of parts.
        """
        parts = sorted(p for p in (self.folder / "parts").iterdir())
        if not parts:
            return 0
        merge.merge_stores(self.store, [p for p in parts if (p / "manifest.json").exists()], newest=True)
        for part in parts:
            state_place.keep_part(part, self.store, part.name)
            (self.folder / "done" / part.name).touch()
            shutil.rmtree(part)
        return len(parts)

    def count_results(self) -> tuple[int, int]:
        """Return the numbers of complete and of failed repositories."""
        complete = sum(1 for kind in ("done", "parts") for _ in (self.folder / kind).iterdir())
        return complete, sum(1 for p in (self.folder / "failed").iterdir() if p.name[0] != ".")

    def end_run(self) -> None:
        """Clear the queue unless a repository failed; the next run then starts a new round."""
        if not self.read_failures():
            shutil.rmtree(self.folder / "done")
            (self.folder / "plan.json").unlink(missing_ok=True)


def _make_stem(name: str) -> str:
    return name.replace("/", "__", 1)
