"""The record of a run: written before anything starts, completed as it goes, never lost to a crash.

RUN/spec.toml        the resolved spec
RUN/record.json      this record
RUN/data/            the tokens (hard links into the cache where the file system can)
RUN/native/          the stack's native config
RUN/events.jsonl     the stream of events        RUN/log.txt    everything the stack printed
RUN/work/            checkpoints                 RUN/adapter/   what comes out
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from advisor.files import data_home, write_atomically
from finetune.errors import DiskFull, RunError
from finetune.runners.emit import alive

SCHEMA = 1
State = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Attempt:
    """One start of the training process: when, from which step, to which, and how it ended."""

    started: str
    from_step: int = 0
    to_step: int = 0
    seconds: float = 0.0
    outcome: str = "running"


@dataclass(frozen=True)
class Record:
    """Everything worth knowing about a run afterwards.

    Attributes:
        id: name of the run's folder.
        state: as last written; see `standing` for what is true now.
        started, ended: ISO 8601 in UTC.
        pids: of the wrapper and of the training process, while it runs.
        spec, origins: the resolved spec and where each leaf came from.
        stack, environment: name; interpreter, versions of packages, what the machine has.
        data: counts and hashes of the tokenised rows and of their source.
        model: base, fingerprint, parameters.
        findings: what the preview had to say.
        deviations: what the stack could only nearly honour.
        recommendation: why this stack (empty if the user named it).
        losses: first, last and best training loss; held-out losses of base and adapter.
        timings_seconds: by stage.
        memory_bytes: predicted and measured peaks.
        outcome: one line for people.
        attempts: every start of the training process.
    """

    id: str
    state: State
    started: str
    spec: Mapping[str, Any]
    origins: Mapping[str, str]
    stack: str
    ended: str | None = None
    pids: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Mapping[str, Any], ...] = ()
    deviations: tuple[str, ...] = ()
    recommendation: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, Any] = field(default_factory=dict)
    timings_seconds: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    attempts: tuple[Attempt, ...] = ()
    schema: int = SCHEMA

    @property
    def standing(self) -> str:
        """The state, or ``crashed`` where it says running and nobody is."""
        if self.state == "running" and not any(alive(pid) for pid in self.pids.values()):
            return "crashed"
        return self.state


def now() -> str:
    """This second, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_folder(output: str | None, model: str) -> Path:
    """A folder for a new run: the one asked for, or one of its own among the user's runs.

    Raises:
        RunError: the folder asked for holds something already.
    """
    if output is not None:
        folder = Path(output).expanduser()
        if _never_began(folder):
            shutil.rmtree(folder)
        if folder.exists() and any(folder.iterdir()):
            raise RunError(
                f"{folder} is not empty; name another --output, or go on with --resume if it is a run"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    home = data_home() / "runs"
    home.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^a-z0-9.]+", "-", Path(model).name.lower()).strip("-") or "model"
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{short}"
    folder, taken = home / stem, 0
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            taken += 1
            folder = home / f"{stem}-{taken}"
        else:
            return folder


def _never_began(folder: Path) -> bool:
    """Whether a run ended here before it had tokens: nothing to resume, nothing to lose."""
    if not (folder / "record.json").is_file() or (folder / "data" / "summary.json").is_file():
        return False
    return load(folder).standing in ("failed", "interrupted", "crashed")


def write_text(path: Path, text: str) -> None:
    """Write through a temporary name and a sync, so that a crash leaves the old text or the new.

    Raises:
        DiskFull: the disk takes no more.
    """
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise DiskFull(
            f"{path} cannot be written: {error.strerror}; free some space, then --resume"
        ) from None


def keep(folder: Path, record: Record) -> Record:
    """Write the record; give it back."""
    write_text(folder / "record.json", json.dumps(asdict(record), indent=1) + "\n")
    return record


def change(folder: Path, record: Record, **fields: Any) -> Record:
    """The record with some fields changed, written."""
    return keep(folder, replace(record, **fields))


def load(folder: Path) -> Record:
    """The record of a run's folder.

    Raises:
        RunError: it holds none, or one of another schema.
    """
    try:
        told: dict[str, Any] = json.loads((folder / "record.json").read_text("utf-8"))
        attempts = tuple(Attempt(**a) for a in told.pop("attempts"))
        for name in ("findings", "deviations"):
            told[name] = tuple(told[name])
        record = Record(**told, attempts=attempts)
    except FileNotFoundError:
        raise RunError(f"{folder} is no run: it has no record.json") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{folder / 'record.json'} cannot be read: {error}") from None
    if record.schema != SCHEMA:
        raise RunError(f"{folder} was written by another version (schema {record.schema}, not {SCHEMA})")
    return record


def find(name: str) -> Path:
    """The folder of a run: a path, its id, or the beginning of one id.

    Raises:
        RunError: there is none, or several.
    """
    path = Path(name).expanduser()
    if (path / "record.json").is_file():
        return path.resolve()
    home = data_home() / "runs"
    hits = [f for f, _ in every() if f.name == name] or [f for f, _ in every() if f.name.startswith(name)]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise RunError(f"{name!r} names {len(hits)} runs: {', '.join(f.name for f in hits[:5])}")
    raise RunError(f"there is no run {name!r}: not a run's folder, and none of that id in {home}")


def every() -> Iterator[tuple[Path, Record]]:
    """Folder and record of all runs in the user's folder, oldest first; unreadable ones are left out."""
    home = data_home() / "runs"
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        try:
            yield folder, load(folder)
        except RunError:
            continue


def remove(folders: list[Path], sure: Callable[[Path], bool]) -> list[Path]:
    """Delete run folders that ``sure`` agrees to; those that are still running never."""
    gone = []
    for folder in folders:
        if load(folder).standing != "running" and sure(folder):
            shutil.rmtree(folder)
            gone.append(folder)
    return gone


def remove_checkpoints(works: list[Path], sure: Callable[[Path], bool]) -> list[Path]:
    """Empty the ``work`` folders that ``sure`` agrees to."""
    gone = [work for work in works if sure(work)]
    for work in gone:
        shutil.rmtree(work)
    return gone


def size_bytes(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
