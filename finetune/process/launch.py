"""Start a stack's process, follow its events, stop it cleanly, and say in one sentence how it ended.

The process runs in a session of its own, so that Ctrl-C reaches the wrapper alone, which then asks
the process to stop at the end of its step. If the wrapper dies, the process notices, saves and ends.
A process that falls silent, or that has said its last word and does not go, is ended here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.errors import (
    DiskFull,
    LossNotFinite,
    OutOfMemory,
    TrainingFailed,
    TrainingInterrupted,
)
from finetune.runners.emit import COMPLETE, WRAPPER_PID

_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 300.0
_GRACE_SECONDS = 10.0  # between the wish to end and the kill
# After its last word a process has nothing left to do but to leave; processes of one run wait there for
# one another, and for good where one of them is gone.
_FAREWELL_SECONDS = 60.0
# Between events it may validate or save: silent is what takes many times the longest pause until then.
_SILENCE_SECONDS, _SILENCE_PAUSES = 900.0, 30.0

_REMEDIES = {
    "out_of_memory": (
        OutOfMemory,
        (
            "Smaller training.micro_batch_size (the batch size stays), then "
            "training.gradient_checkpointing = true, then method.name = 'qlora', then data.max_length; "
            "`advisor plan` says what fits"
        ),
    ),
    "not_finite": (
        LossNotFinite,
        (
            "Lower training.learning_rate by a factor of 3 to 10, keep training.max_grad_norm = 1.0, use "
            "bfloat16 or float32 rather than float16, and look at the data with `advisor preview`"
        ),
    ),
    "disk_full": (
        DiskFull,
        "Free some space; finished checkpoints are kept, and --resume goes on from there",
    ),
    "other": (TrainingFailed, ""),
}


@dataclass(frozen=True)
class Ended:
    """How a training process ended well: its last event, and whether it had to be ended then."""

    finished: Mapping[str, Any]
    seconds: float
    lingered: bool = False


@dataclass
class _Heard:
    """The last event of each kind, and how long the process was silent at most."""

    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)
    longest_pause: float = 0.0
    given_up: bool = False

    def __call__(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if "step" in self.seen:  # loading and compiling say nothing about the pace
            self.longest_pause = max(self.longest_pause, now - self.at)
        self.at = now
        self.seen[event["event"]] = event

    @property
    def overdue(self) -> bool:
        """Whether it has been silent for longer than anything that it still has to do can take."""
        if {"finished", "failed"} & set(self.seen):
            patience = _FAREWELL_SECONDS
        elif "step" in self.seen:
            patience = max(_SILENCE_SECONDS, _SILENCE_PAUSES * self.longest_pause)
        else:
            return False
        return time.monotonic() - self.at > patience


def events(folder: Path, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Whole lines of the stream from a byte offset on: the offset after each, and the event."""
    path = folder / "events.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line torn by a full disk
            yield offset, event


def ended_before(folder: Path, on_event: Callable[[dict[str, Any]], None]) -> Ended | None:
    """How training came to its end, if it had when the run was cut off; its events are told again."""
    told = [event for _, event in events(folder)]
    if not told or told[-1]["event"] != "finished":
        return None
    begun = max((n for n, event in enumerate(told) if event["event"] == "started"), default=0)
    for event in told[begun:]:
        on_event(event)
    return Ended(told[-1], told[-1]["time"] - told[begun]["time"])


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    found = [c for c in work.glob("checkpoint-*") if (c / COMPLETE).is_file()]
    return max(found, key=lambda c: int(c.name.rpartition("-")[2]), default=None)


def launch(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
    on_start: Callable[[int], None] = lambda _: None,
    on_stopping: Callable[[], None] = lambda: None,
) -> Ended:
    """Run the command to its end.

    Args:
        command: of the stack.
        folder: of the run; events, log and stop file stand there.
        environment: variables to set on top of this process's own.
        on_event: called with every event of this start, in order.
        on_start: called with the process id.
        on_stopping: called once when Ctrl-C was heard.

    Raises:
        TrainingFailed: it ended with an error; the subclass tells out of memory, NaN and a full disk.
        TrainingInterrupted: it was stopped; a checkpoint was kept if one step was done.
    """
    for leftover in ("stop", "stop-at"):
        (folder / leftover).unlink(missing_ok=True)
    stream = folder / "events.jsonl"
    offset = stream.stat().st_size if stream.is_file() else 0
    began = time.monotonic()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment, WRAPPER_PID: str(os.getpid()), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        on_start(process.pid)
        heard = _Heard()
        try:
            code, offset = _follow(process, folder, offset, heard, on_event, on_stopping)
        except BaseException:
            _end(process)
            raise
    if code:
        _kill_group(process)  # torchrun that was killed leaves its processes behind
    for _, event in events(folder, offset):
        heard(event)
        on_event(event)
    seconds = time.monotonic() - began
    if "finished" in heard.seen and (code == 0 or heard.given_up):
        return Ended(heard.seen["finished"], seconds, lingered=heard.given_up)
    raise explain(code, heard.seen, folder, silent=heard.given_up)


def _follow(
    process: subprocess.Popen[bytes],
    folder: Path,
    offset: int,
    heard: _Heard,
    on_event: Callable[[dict[str, Any]], None],
    on_stopping: Callable[[], None],
) -> tuple[int, int]:
    asked: float | None = None
    while True:
        try:
            for after, event in events(folder, offset):
                offset = after
                heard(event)
                on_event(event)
            code = process.poll()
            if code is not None:
                return code, offset
            if heard.overdue:
                heard.given_up = True
                _end(process)
            elif asked is not None and time.monotonic() - asked > _PATIENCE_SECONDS:
                heard.seen.setdefault("stopping", {"event": "stopping", "why": "asked"})
                _end(process)
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            # A step that ended since the last look counts: there is something to save.
            stepped = "step" in heard.seen or any(e["event"] == "step" for _, e in events(folder, offset))
            if asked is not None or not stepped:
                _end(process)  # asked twice, or nothing to save yet
                heard.seen.setdefault("stopping", {"event": "stopping", "why": "asked"})
                return process.wait(), offset
            asked = time.monotonic()
            (folder / "stop").touch()
            on_stopping()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started; it leads a session of its own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)
            process.wait(_GRACE_SECONDS)
            return


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def explain(
    code: int, seen: Mapping[str, Mapping[str, Any]], folder: Path, *, silent: bool = False
) -> TrainingFailed | TrainingInterrupted:
    """The error that says how a training process ended, with what to do."""
    step = int(seen.get("step", {}).get("step", 0))
    reached = f"at step {step}" if step else "before the first step"
    checkpoint = last_checkpoint(folder / "work")
    kept = f"{checkpoint.name} is kept" if checkpoint else "there is no checkpoint yet"
    onward = f"`advisor train --resume {folder}` goes on"
    if "failed" in seen:
        kind, message = seen["failed"]["kind"], seen["failed"]["message"]
        error, remedy = _REMEDIES.get(kind, _REMEDIES["other"])
        what = f"{remedy}. " if remedy else f"The whole story is in {folder / 'log.txt'}. "
        return error(f"training failed {reached}: {message}. {what}{kept}; {onward}")
    if "stopping" in seen:
        return TrainingInterrupted(f"stopped {reached}; {kept}; {onward}")
    if silent:
        return TrainingFailed(
            f"the training process fell silent {reached} and was ended: no event for "
            f"{_SILENCE_SECONDS / 60:.0f} minutes and {_SILENCE_PAUSES:.0f} times its longest pause before. "
            f"Its last words are in {folder / 'log.txt'}. {kept}; {onward}"
        )
    if code == -signal.SIGKILL:
        return TrainingFailed(
            f"the training process was killed from outside {reached} (signal 9). Where nobody did that by "
            f"hand it was the system's out-of-memory killer: {_REMEDIES['out_of_memory'][1]}. {kept}; "
            f"{onward}"
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return TrainingFailed(
        f"the training process ended {reached} with {how}: {_last_line(folder / 'log.txt')}. The whole story "
        f"is in {folder / 'log.txt'}. {kept}; {onward}"
    )


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "it printed nothing"
