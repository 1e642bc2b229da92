"""The record of a run, written before training and updated at each stage.

RUN/spec.toml        the resolved spec
RUN/record.json      this record
RUN/data/            the tokens (hard links into the cache if the file system supports them)
RUN/native/          the stack's native config
RUN/events.jsonl     the stream of events        RUN/log.txt    everything the stack printed
RUN/work/            checkpoints                 RUN/adapter/   the trained adapter
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
from finetune.runners.emit import is_alive

SCHEMA = 1
State = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Attempt:
    """One start of the training process: its time, first and last step, and outcome."""

    started: str
    from_step: int = 0
    to_step: int = 0
    seconds: float = 0.0
    outcome: str = "running"


@dataclass(frozen=True)
class Record:
    """The inputs, the progress and the results of a run.

    Attributes:
        id: name of the run's folder.
        state: the last state on disk; `current_state` also checks the processes.
        started, ended: ISO 8601 in UTC.
        pids: process ids of the wrapper and of the training process, while they run.
        spec, origins: the resolved spec and the layer that each leaf came from.
        stack, environment: its name; interpreter, versions of packages, hardware.
        data: counts and hashes of the tokenised rows and of their source.
        model: base, fingerprint, parameters.
        findings: the findings about the data.
        deviations: the fields that the stack follows only approximately.
        recommendation: why this stack (empty if the user chose it).
        losses: first, last and lowest training loss; held-out losses of base and adapter; why a base
            was not judged.
        timings_seconds: seconds of each stage.
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
    def current_state(self) -> str:
        """The state; ``crashed`` if it is ``running`` but no process is alive."""
        if self.state == "running" and not any(is_alive(pid) for pid in self.pids.values()):
            return "crashed"
        return self.state


def utc_now() -> str:
    """Return the current time to the second, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def create_run_folder(output: str | None, model: str) -> Path:
    """Create a run's folder: ``output``, or a new one in the user's folder of runs.

    Raises:
        RunError: ``output`` is not empty.
    """
    if output is not None:
        folder = Path(output).expanduser()
        if _has_no_tokens(folder):
            shutil.rmtree(folder)
        if folder.exists() and any(folder.iterdir()):
            raise RunError(
                f"{folder} is not empty; choose another --output, or resume the run in it with --resume"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    home = data_home() / "runs"
    home.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^a-z0-9.]+", "-", Path(model).name.lower()).strip("-") or "model"
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{short}"
    folder, number = home / stem, 0
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = home / f"{stem}-{number}"
        else:
            return folder


def _has_no_tokens(folder: Path) -> bool:
    """Return whether a run ended here before it had tokens, so that nothing is lost."""
    if not (folder / "record.json").is_file() or (folder / "data" / "summary.json").is_file():
        return False
    return read_record(folder).current_state in ("failed", "interrupted", "crashed")


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: after a crash it has either the old or the new text.

    Raises:
        DiskFull: the file cannot be written.
    """
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise DiskFull(
            f"cannot write {path}: {error.strerror}; free some disk space, then use --resume"
        ) from None


def write_record(folder: Path, record: Record) -> Record:
    """Write the record into its run's folder and return it."""
    write_text(folder / "record.json", json.dumps(asdict(record), indent=1) + "\n")
    return record


def update_record(folder: Path, record: Record, **fields: Any) -> Record:
    """Change some fields of the record, write it and return it."""
    return write_record(folder, replace(record, **fields))


def read_record(folder: Path) -> Record:
    """Return the record in a run's folder.

    Raises:
        RunError: the folder has no record, or one that this version cannot read.
    """
    try:
        fields: dict[str, Any] = json.loads((folder / "record.json").read_text("utf-8"))
        attempts = tuple(Attempt(**a) for a in fields.pop("attempts"))
        for name in ("findings", "deviations"):
            fields[name] = tuple(fields[name])
        record = Record(**fields, attempts=attempts)
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run: it has no record.json") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"cannot read {folder / 'record.json'}: {error}") from None
    if record.schema != SCHEMA:
        raise RunError(
            f"another version of advisor wrote {folder}: its record has schema {record.schema}, "
            f"this version reads schema {SCHEMA}"
        )
    return record


def find_run(name: str) -> Path:
    """Return the folder of a run, from its path, its id, or the beginning of its id.

    Raises:
        RunError: no run matches the name, or several do.
    """
    path = Path(name).expanduser()
    if (path / "record.json").is_file():
        return path.resolve()
    home = data_home() / "runs"
    folders = [folder for folder, _ in iterate_runs()]
    matches = [f for f in folders if f.name == name] or [f for f in folders if f.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(f"{name!r} matches {len(matches)} runs: {', '.join(f.name for f in matches[:5])}")
    raise RunError(f"unknown run {name!r}: it is not a run's folder, and no run in {home} has this id")


def iterate_runs() -> Iterator[tuple[Path, Record]]:
    """Yield folder and record of the user's readable runs, oldest first."""
    home = data_home() / "runs"
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        try:
            yield folder, read_record(folder)
        except RunError:
            continue


def remove_runs(folders: list[Path], confirm: Callable[[Path], bool]) -> list[Path]:
    """Delete and return the run folders that ``confirm`` accepts, except running ones."""
    removed_folders = []
    for folder in folders:
        if read_record(folder).current_state != "running" and confirm(folder):
            shutil.rmtree(folder)
            removed_folders.append(folder)
    return removed_folders


def remove_checkpoints(work_folders: list[Path], confirm: Callable[[Path], bool]) -> list[Path]:
    """Delete and return the ``work`` folders that ``confirm`` accepts."""
    removed_folders = [folder for folder in work_folders if confirm(folder)]
    for folder in removed_folders:
        shutil.rmtree(folder)
    return removed_folders


def count_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
