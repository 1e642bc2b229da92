"""Many repositories, many workers: a queue that lives on the disk and survives any kill.

Under ``.queue`` of a store:

``plan.json``   what is collected, from where, as of which day
``claims/``     a file a repository; whoever holds its lock works on it (the kernel frees it at death)
``making/``     a store a repository, being filled; taken up again as it is after a kill
``parts/``      such a store once it is whole: renamed into here in one step
``done/``       a mark a repository whose part has been merged into the store
``failed/``     why a repository could not be had; it is tried again by the next run

A repository is done if its part is whole or merged: nothing else counts.
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

from advisor.collect.many import merge
from advisor.errors import FactsError, InputError
from advisor.facts import manifest
from advisor.facts.store import Store
from advisor.files import write_atomically

_SAME = ("histories", "packages", "sources", "github_url")
TRIES = 3
"""Workers that may die over one repository before it is given up for this run."""


@dataclass(frozen=True)
class Plan:
    """What a run collects; no secret is in it.

    Attributes:
        histories: ``owner/name`` → where its history is.
        packages: ``owner/name`` → its package on PyPI, None where none is known.
        sources: what is asked.
        day: the day that the rows of histories carry (YYYY-MM-DD).
        cache: folder of clones; ``cache_limit`` its size in bytes, None: no limit.
        github_url: another GitHub than github.com.
        max_wait: seconds that a worker waits for limits in one repository.
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
    """The queue of a store."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = store / ".queue"
        self._seen = ((0, 0), Store(store, {"files": {}}))

    def begin(self, plan: Plan, day: str | None) -> Plan:
        """Go on with an unfinished run of the same repositories and sources, or begin a new one.

        Args:
            plan: what to collect, with today as its day.
            day: the day that was asked for; None: that of the run that goes on, else today.

        Returns:
            the plan with the day that holds.
        """
        for name in ("claims", "making", "parts", "done", "failed", "tries"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.collect_parts()
        old = self._old_plan()
        same = old is not None and all(getattr(old, a) == getattr(plan, a) for a in _SAME)
        if old is None or not same or (day is not None and day != old.day):
            self._forget("done")
            old = None
        plan = replace(plan, day=day or (old.day if old else plan.day))
        known = {_stem(name) for name in self._stored().files}
        for mark in (self.folder / "done").iterdir():
            if mark.name not in known:  # somebody took the facts away
                mark.unlink()
        self._forget("failed", "tries")
        write_atomically(self.folder / "plan.json", (json.dumps(asdict(plan)) + "\n").encode())
        return plan

    def _forget(self, *kinds: str) -> None:
        for kind in kinds:
            shutil.rmtree(self.folder / kind, ignore_errors=True)
            (self.folder / kind).mkdir()

    def _stored(self) -> Store:
        """The store as it is; its manifest is read again only when it was written again."""
        try:
            about = (self.store / "manifest.json").stat()
        except FileNotFoundError:
            return Store(self.store, {"files": {}})
        if (stamp := (about.st_mtime_ns, about.st_ino)) != self._seen[0]:
            self._seen = (stamp, Store(self.store, manifest.read_manifest(self.store)))
        return self._seen[1]

    def plan(self) -> Plan:
        """The plan of the run.

        Raises:
            FactsError: there is none, or it is damaged.
        """
        found = self._old_plan()
        if found is None:
            raise FactsError(f"{self.folder / 'plan.json'} is missing or damaged; begin the collection anew")
        return found

    def _old_plan(self) -> Plan | None:
        try:
            content = json.loads((self.folder / "plan.json").read_text())
            return Plan(**{**content, "sources": tuple(content["sources"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one that leads the run.

        Raises:
            InputError: another process does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lead").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another process collects into {self.store} already") from None
            yield

    @contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Whether this process may work on the repository; the claim ends with the block, or with us."""
        handle = os.open(self.folder / "claims" / _stem(name), os.O_RDWR | os.O_CREAT, 0o600)
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
        """Whether the tables of a repository are whole."""
        return any((self.folder / kind / _stem(name)).exists() for kind in ("done", "parts"))

    def is_settled(self, name: str) -> bool:
        """Whether nobody needs to work on it any more in this run."""
        return self.is_done(name) or (self.folder / "failed" / _stem(name)).exists()

    def making(self, name: str) -> Path:
        """The store to fill for a repository: as a dead worker left it, or with what is known so far.

        Raises:
            FactsError: so many workers died over it that it is given up.
        """
        tries = self.folder / "tries" / _stem(name)
        count = len(tries.read_bytes()) if tries.exists() else 0
        if count >= TRIES:
            raise FactsError(f"{count} workers ended over it")
        with tries.open("ab") as file:
            file.write(b".")
        place = self.folder / "making" / _stem(name)
        if not place.exists():
            place.mkdir()
            stored = self._stored()
            if name in stored.files:
                merge.copy_of(name, stored, place)
            state = self.folder / "state" / _stem(name)
            if state.exists():
                shutil.copy2(state, place / "collect.sqlite")
        return place

    def finish(self, name: str) -> None:
        """The store of a repository is whole: one rename says so."""
        (self.folder / "making" / _stem(name)).rename(self.folder / "parts" / _stem(name))
        parts = os.open(self.folder / "parts", os.O_RDONLY)
        try:
            os.fsync(parts)
        finally:
            os.close(parts)

    def fail(self, name: str, why: str) -> None:
        """Note why a repository could not be had."""
        write_atomically(self.folder / "failed" / _stem(name), why.encode())

    def failures(self) -> dict[str, str]:
        """Repository → why it could not be had."""
        folder = self.folder / "failed"
        return {
            p.name.replace("__", "/", 1): p.read_text() for p in sorted(folder.iterdir()) if p.name[0] != "."
        }

    def collect_parts(self) -> int:
        """Merge all whole parts into the store; a kill in between changes nothing of what comes out.

        Returns:
            how many there were.
        """
        parts = sorted(p for p in (self.folder / "parts").iterdir())
        if not parts:
            return 0
        merge.merge(self.store, [p for p in parts if (p / "manifest.json").exists()], newest=True)
        for part in parts:
            state = part / "collect.sqlite"
            if state.exists():
                (self.folder / "state").mkdir(exist_ok=True)
                state.replace(self.folder / "state" / part.name)
            (self.folder / "done" / part.name).touch()
            shutil.rmtree(part)
        return len(parts)

    def count(self) -> tuple[int, int]:
        """(whole, failed) so far."""
        whole = sum(1 for kind in ("done", "parts") for _ in (self.folder / kind).iterdir())
        return whole, sum(1 for p in (self.folder / "failed").iterdir() if p.name[0] != ".")

    def end(self) -> None:
        """A run that has nothing left leaves no mark; the next one begins a new round."""
        if not self.failures():
            shutil.rmtree(self.folder / "done")
            (self.folder / "plan.json").unlink(missing_ok=True)


def _stem(name: str) -> str:
    return name.replace("/", "__", 1)
