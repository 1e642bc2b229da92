"""The record of a run, written before training and updated at each stage.

RUN/spec.toml        the resolved spec
RUN/record.json      this record
RUN/data/            the tokens (hard links into the cache if the file system supports them)
RUN/native/          the stack's native config
RUN/events.jsonl     the stream of events        RUN/log.txt    everything the stack printed
RUN/work/            checkpoints                 RUN/adapter/   the trained adapter
RUN/evaluation.json  losses and answers          RUN/merged/    the adapter merged into its base model
RUN/answers.jsonl    all answers to the held-out questions

A folder may have other files too. advisor deletes none of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from advisor.files import data_home, expand_home, write_atomically
from finetune import layout
from finetune.errors import RunError, explain_os_error, explain_os_errors
from finetune.runners.emit import COMPLETE, is_alive
from finetune.spec import RunSpec

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
        losses: first, last and lowest training loss; held-out losses of base and adapter, and their figures
            about preferences (`finetune.after.preferences`); why a base was not judged.
        task: the metrics of the task, of base and adapter (`finetune.after.task.judge`).
        export: the checks of the last merged model (`finetune.after.export_checks.Check`).
        timings_seconds: seconds of each stage.
        memory_bytes: predicted and measured peaks.
        outcome: one line for people.
        attempts: every start of the training process.
        parent: id of the run that this one continues from or varies; empty: none.
        note, tags: words of the user.
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
    task: Mapping[str, Any] = field(default_factory=dict)
    export: tuple[Mapping[str, Any], ...] = ()
    timings_seconds: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    attempts: tuple[Attempt, ...] = ()
    parent: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
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
    """Create a run's folder, for the user alone: ``output``, or a new one in the user's folder of runs.

    A run that ended in ``output`` before it had tokens is replaced; other files there stay.

    Raises:
        RunError: ``output`` contains something else, or cannot be created.
    """
    home = data_home() / "runs"
    try:
        return _create_new_folder(home, model) if output is None else _prepare_folder(expand_home(output))
    except OSError as error:
        raise RunError(f"cannot use {output or home} as the folder of a run: {error.strerror}") from None


def _prepare_folder(folder: Path) -> Path:
    is_replaced = _has_no_tokens(folder)
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    conflicts = sorted((names & layout.NAMES) - {"record.json", "data"})
    if conflicts and is_replaced:
        raise RunError(
            f"{folder} contains {', '.join(conflicts)}, which the run there did not write and a new one "
            "would replace; move it away, or choose another --output"
        )
    if names and not is_replaced:
        raise RunError(
            f"{folder} is not empty; choose another --output, or resume the run in it with --resume"
        )
    if is_replaced:
        sweep_litter(folder)
        (folder / "record.json").unlink()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _create_new_folder(home: Path, model: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^a-z0-9.]+", "-", Path(model).name.lower()).strip("-") or "model"
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{short}"
    folder, number = home / stem, 0
    while True:
        try:
            folder.mkdir(mode=0o700)
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


def sweep_litter(folder: Path) -> None:
    """Delete what a killed process of a run left behind: drafts, its signal, incomplete checkpoints."""
    (folder / "go").unlink(missing_ok=True)
    (folder / "stop-at.draft").unlink(missing_ok=True)
    for place in (folder, folder / "native", folder / "adapter"):
        for path in place.iterdir() if place.is_dir() else ():
            if layout.DRAFT.fullmatch(path.name):
                _delete(path)
    for checkpoint in (folder / "work").glob("checkpoint-*"):
        if layout.CHECKPOINT.fullmatch(checkpoint.name) and not (checkpoint / COMPLETE).exists():
            _delete(checkpoint)


def clear_run(folder: Path) -> list[str]:
    """Delete what a run wrote, and the folder if nothing else is in it; return the names of the rest."""
    for path in list(folder.iterdir()):
        if path.name == "data" and path.is_dir() and not path.is_symlink():
            for name in layout.DATA_NAMES:
                (path / name).unlink(missing_ok=True)
            if not any(path.iterdir()):
                path.rmdir()
        elif layout.is_written_by_run(path.name):
            _delete(path)
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        folder.rmdir()
    return names


def _delete(path: Path) -> None:
    """Delete a file, a link (not its target), or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: after a crash it has either the old or the new text.

    Raises:
        DiskFull: the file cannot be written.
    """
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise explain_os_error(error, path) from None
    except UnicodeEncodeError:
        raise RunError(f"cannot write {path}: a name or a text in it is not valid UTF-8") from None


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
    path = folder / "record.json"
    try:
        if path.exists() and not path.is_file():
            raise RunError(f"cannot read {path}: it is not a file")
        fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
        attempts = tuple(Attempt(**a) for a in fields.pop("attempts"))
        for name in ("findings", "deviations", "export", "tags"):
            fields[name] = tuple(fields.get(name, ()))
        record = Record(**fields, attempts=attempts)
        _schema().validate_python(asdict(record))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{folder} is not a run: it has no record.json") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise RunError(f"cannot read {path}: {where}: {problem['msg']}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}") from None
    if record.schema != SCHEMA:
        raise RunError(
            f"another version of advisor wrote {folder}: its record has schema {record.schema}, "
            f"this version reads schema {SCHEMA}"
        )
    return record


@cache
def _schema() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def read_spec(folder: Path, record: Record) -> RunSpec:
    """Return the run spec in a record.

    Raises:
        RunError: this version cannot read it.
    """
    try:
        return RunSpec.model_validate(record.spec)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in ("spec", *problem["loc"]))
        raise RunError(f"cannot read {folder / 'record.json'}: {where}: {problem['msg']}") from None


def find_run(name: str) -> Path:
    """Return the folder of a run, from its path, its id, or the beginning of its id.

    Raises:
        RunError: no run matches the name, or several do.
    """
    path = expand_home(name)
    if os.path.lexists(path / "record.json"):
        return path.resolve()
    home = data_home() / "runs"
    folders = [folder for folder, _ in iterate_runs()]
    matches = [f for f in folders if f.name == name] or [f for f in folders if f.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(f"{name!r} matches {len(matches)} runs: {', '.join(f.name for f in matches[:5])}")
    raise RunError(f"unknown run {name!r}: it is not a run's folder, and no run in {home} has this id")


def iterate_runs(
    report: Callable[[str], None] = lambda _: None, home: Path | None = None
) -> Iterator[tuple[Path, Record]]:
    """Yield folder and record of the readable runs, oldest first; report why others are not.

    Args:
        report: called with a sentence about each folder that is no readable run.
        home: the folder of the runs; None: the user's.
    """
    home = home or data_home() / "runs"
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        try:
            yield folder, read_record(folder)
        except RunError as error:
            if folder.is_dir() or folder.is_symlink():
                report(str(error))


def remove_runs(folders: list[Path], confirm: Callable[[Path], bool]) -> list[Path]:
    """Delete and return the run folders that ``confirm`` accepts, except running ones.

    Other files than those of the run stay, and then the folder too.

    Raises:
        RunError: a folder is a symbolic link.
    """
    removed_folders = []
    for folder in folders:
        if folder.is_symlink():
            raise RunError(
                f"{folder} is a symbolic link; delete the run in {folder.resolve()}, then the link"
            )
        if read_record(folder).current_state != "running" and confirm(folder):
            with explain_os_errors(folder):
                clear_run(folder)
            removed_folders.append(folder)
    return removed_folders


def remove_checkpoints(work_folders: list[Path], confirm: Callable[[Path], bool]) -> list[Path]:
    """Delete and return the ``work`` folders that ``confirm`` accepts."""
    removed_folders = [folder for folder in work_folders if confirm(folder)]
    for folder in removed_folders:
        with explain_os_errors(folder):
            _delete(folder)
    return removed_folders


def count_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
