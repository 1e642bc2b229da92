"""Start a stack's process, follow its events, stop it cleanly, and explain in one sentence how it ended.

The process runs in its own session, so that Ctrl-C reaches only the wrapper, which then asks the process to
stop at the end of its step. If the wrapper dies, the process notices, saves and exits. This module ends a
process that stops sending events, or that does not exit after its last event.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune import isolation
from finetune.errors import (
    DiskFull,
    LossNotFinite,
    OutOfMemory,
    TrainingError,
    TrainingInterruption,
)
from finetune.layout import CHECKPOINT
from finetune.runners import template_limit
from finetune.runners.emit import COMPLETE, WRAPPER_PID
from finetune.runners.gpu_errors import find_gpu_error

_POLL_SECONDS = 0.2
_STOP_TIMEOUT_SECONDS = 300.0  # from the request to stop until the process is ended
_KILL_DELAY_SECONDS = 10.0  # from SIGTERM to SIGKILL
# How long a process may take to exit after its `finished` or `failed` event. The processes of one run wait
# there for one another, without end if one of them is gone.
_EXIT_TIMEOUT_SECONDS = 60.0
# A process may validate or save between events. It counts as silent after many times its longest pause.
_SILENCE_SECONDS, _SILENCE_PAUSES = 900.0, 30.0

_REMEDIES = {
    "out_of_memory": (
        OutOfMemory,
        (
            "Try, in this order: a smaller training.micro_batch_size (the batch size does not change), "
            "training.gradient_checkpointing = true, method.name = 'qlora', a smaller data.max_length; "
            "`advisor plan` shows what fits"
        ),
    ),
    "not_finite": (
        LossNotFinite,
        (
            "Lower training.learning_rate by a factor of 3 to 10, keep training.max_grad_norm = 1.0, use "
            "bfloat16 or float32 instead of float16, and check the data with `advisor preview`"
        ),
    ),
    "disk_full": (
        DiskFull,
        "Free some space; complete checkpoints are still there, and --resume continues from the last one",
    ),
    "no_kernel": (
        TrainingError,
        (
            "The installed torch has no code for this GPU; `advisor stacks --check` shows what it has. "
            "Build the environment again: with UV_TORCH_BACKEND=cu126 for a card older than the T4 (compute "
            "capability below 7.5), else with UV_TORCH_BACKEND=cu130"
        ),
    ),
    "old_driver": (
        TrainingError,
        (
            "Install a newer NVIDIA driver (580 or newer for CUDA 13, 525 for CUDA 12), or build the "
            "environment again with UV_TORCH_BACKEND=cu126, which works with driver 525"
        ),
    ),
    "no_gpu": (
        TrainingError,
        "Check `nvidia-smi`, CUDA_VISIBLE_DEVICES and `advisor stacks --check`, which says what to install",
    ),
    "gpu_busy": (
        TrainingError,
        (
            "Another program holds the GPU alone; `nvidia-smi` lists it. End it, or choose another GPU with "
            "CUDA_VISIBLE_DEVICES"
        ),
    ),
    "no_bfloat16": (
        TrainingError,
        (
            "This GPU does not compute in that type; use training.dtype = 'float16' with trl, axolotl or "
            "unsloth, or 'float32'"
        ),
    ),
    "lost_process": (
        TrainingError,
        (
            "The processes lost one another: look in the log for the first one that failed. On pairs of RTX "
            "40 cards with a driver older than 550, set NCCL_P2P_DISABLE=1 and NCCL_IB_DISABLE=1"
        ),
    ),
    "bad_token": (
        TrainingError,
        (
            "A token is probably outside of the model's vocabulary: the tokenizer belongs to another base, "
            "or its added tokens have no row in the embedding. `advisor preview` shows the tokens; the same "
            "run with devices.kind = 'cpu' names the line"
        ),
    ),
    "small_gpu": (
        TrainingError,
        (
            "A kernel of Triton needs more shared memory than this GPU has. Turn off training.liger_kernels "
            "and training.own_speedups, or use another stack"
        ),
    ),
    "old_ptxas": (
        TrainingError,
        (
            "The compiler in Triton does not know this GPU. Install the CUDA toolkit 13 and set "
            "TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas"
        ),
    ),
    "gpu_fault": (
        TrainingError,
        (
            "The GPU or its driver failed: `sudo dmesg | grep -i xid` names the cause. Restart the machine; "
            "if it comes again at the same step, check the data and the model with CUDA_LAUNCH_BLOCKING=1"
        ),
    ),
    "slow_template": (
        TrainingError,
        "A chat template did not end. Look for a loop in it, or use another one with data.template",
    ),
    "other": (TrainingError, ""),
}


@dataclass(frozen=True)
class ProcessResult:
    """A training process that finished: its last event, and whether we had to end it afterwards."""

    last_event: Mapping[str, Any]
    seconds: float
    was_terminated: bool = False


@dataclass
class _EventHistory:
    """The last event of each kind, and the longest pause between two events."""

    last_events: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_time: float = field(default_factory=time.monotonic)
    longest_pause: float = 0.0
    has_timed_out: bool = False

    def __call__(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if "step" in self.last_events:  # the time for loading and compiling does not predict later pauses
            self.longest_pause = max(self.longest_pause, now - self.last_time)
        self.last_time = now
        self.last_events[event["event"]] = event

    @property
    def is_overdue(self) -> bool:
        """Whether the pause since the last event is longer than any work that is left can take."""
        if {"finished", "failed"} & set(self.last_events):
            timeout = _EXIT_TIMEOUT_SECONDS
        elif "step" in self.last_events:
            timeout = max(_SILENCE_SECONDS, _SILENCE_PAUSES * self.longest_pause)
        else:
            return False
        return time.monotonic() - self.last_time > timeout


def read_events(folder: Path, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each complete line from a byte offset on: the offset after it, and its event."""
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
                continue  # a line that a full disk cut off
            yield offset, event


def read_finished_training(folder: Path, on_event: Callable[[dict[str, Any]], None]) -> ProcessResult | None:
    """Return the result if training had already finished; its events go to ``on_event`` again."""
    events = [event for _, event in read_events(folder)]
    if not events or events[-1]["event"] != "finished":
        return None
    start = max((n for n, event in enumerate(events) if event["event"] == "started"), default=0)
    for event in events[start:]:
        on_event(event)
    return ProcessResult(events[-1], events[-1]["time"] - events[start]["time"])


def find_last_checkpoint(work: Path) -> Path | None:
    """Return the newest complete checkpoint."""
    folders = [c for c in work.glob("checkpoint-*") if CHECKPOINT.fullmatch(c.name)]
    checkpoints = [c for c in folders if (c / COMPLETE).is_file()]
    return max(checkpoints, key=lambda c: int(c.name.rpartition("-")[2]), default=None)


def run_process(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    needs_network: bool = False,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
    on_start: Callable[[int], None] = lambda _: None,
    on_stopping: Callable[[], None] = lambda: None,
) -> ProcessResult:
    """Run a training command until it ends.

    Args:
        command: the stack's command.
        folder: the run's folder, with events, log and stop file.
        environment: variables to set on top of the allowed ones (`isolation`).
        needs_network: whether the command keeps the network, because other machines take part.
        on_event: called with every event of this start, in order.
        on_start: called with the process id.
        on_stopping: called once after Ctrl-C.

    Raises:
        TrainingError: the process failed; the subclass names memory, the loss or the disk as the cause.
        TrainingInterruption: the process was stopped; there is a checkpoint if it completed a step.
    """
    for old_file in ("stop", "stop-at", template_limit.FILE):
        (folder / old_file).unlink(missing_ok=True)
    stream = folder / "events.jsonl"
    offset = stream.stat().st_size if stream.is_file() else 0
    began = time.monotonic()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command if needs_network else isolation.close_network(command),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=isolation.select_variables(
                {**environment, WRAPPER_PID: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
            ),
            start_new_session=True,
        )
        history = _EventHistory()
        try:
            on_start(process.pid)
            code, offset = _follow(process, folder, offset, history, on_event, on_stopping)
        except BaseException:
            _end(process)
            raise
    if code:
        _kill_group(process)  # torchrun leaves its processes behind when it is killed
    for _, event in read_events(folder, offset):
        history(event)
        on_event(event)
    seconds = time.monotonic() - began
    if "finished" in history.last_events and (code == 0 or history.has_timed_out):
        return ProcessResult(history.last_events["finished"], seconds, was_terminated=history.has_timed_out)
    raise explain_failure(code, history.last_events, folder, is_silent=history.has_timed_out)


def _follow(
    process: subprocess.Popen[bytes],
    folder: Path,
    offset: int,
    history: _EventHistory,
    on_event: Callable[[dict[str, Any]], None],
    on_stopping: Callable[[], None],
) -> tuple[int, int]:
    stop_time: float | None = None
    while True:
        try:
            for after, event in read_events(folder, offset):
                offset = after
                history(event)
                on_event(event)
            code = process.poll()
            if code is not None:
                return code, offset
            if history.is_overdue:
                history.has_timed_out = True
                _end(process)
            elif stop_time is not None and time.monotonic() - stop_time > _STOP_TIMEOUT_SECONDS:
                history.last_events.setdefault("stopping", {"event": "stopping", "why": "asked"})
                _end(process)
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            # A step that ended since the last poll counts: there is something to save.
            new_events = (event for _, event in read_events(folder, offset))
            has_step = "step" in history.last_events or any(event["event"] == "step" for event in new_events)
            if stop_time is not None or not has_step:
                _end(process)  # a second Ctrl-C, or nothing to save yet
                history.last_events.setdefault("stopping", {"event": "stopping", "why": "asked"})
                return process.wait(), offset
            stop_time = time.monotonic()
            (folder / "stop").touch()
            on_stopping()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, which share its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(_KILL_DELAY_SECONDS)
            return


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def explain_failure(
    code: int, last_events: Mapping[str, Mapping[str, Any]], folder: Path, *, is_silent: bool = False
) -> TrainingError | TrainingInterruption:
    """Return the error that says how a training process ended, and what to do."""
    step = int(last_events.get("step", {}).get("step", 0))
    place = f"at step {step}" if step else "before the first step"
    checkpoint = find_last_checkpoint(folder / "work")
    checkpoint_note = f"{checkpoint.name} is complete" if checkpoint else "there is no checkpoint yet"
    next_steps = f"{checkpoint_note}; `advisor train --resume {shlex.quote(str(folder))}` continues the run"
    log = folder / "log.txt"
    if "failed" in last_events:
        kind, message = last_events["failed"]["kind"], last_events["failed"]["message"]
        error, remedy = _REMEDIES.get(kind, _REMEDIES["other"])
        advice = remedy or f"The full log is in {log}"
        return error(f"training failed {place}: {message}. {advice}. {next_steps}")
    if "stopping" in last_events:
        return TrainingInterruption(f"stopped {place}; {next_steps}")
    if is_silent:
        return TrainingError(
            f"the training process sent no event {place} and was ended: no event for "
            f"{_SILENCE_SECONDS / 60:.0f} minutes and {_SILENCE_PAUSES:.0f} times its longest pause before. "
            f"Its last output is in {log}. {next_steps}"
        )
    if code == -signal.SIGKILL:
        return TrainingError(
            f"another process killed the training process {place} (signal 9). If no person did that, it "
            f"was the system's out-of-memory killer. {_REMEDIES['out_of_memory'][1]}. {next_steps}"
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    # A GPU can end the process without an event: NCCL aborts, and so does the driver.
    kind, line = _find_last_words(log)
    if (folder / template_limit.FILE).exists():
        kind, line = "slow_template", f"a chat template had {template_limit.SECONDS} s"
    error, remedy = _REMEDIES[kind]
    advice = f"{remedy}. " if remedy else ""
    return error(
        f"the training process ended {place} with {how}: {line}. {advice}The full log is in {log}. "
        f"{next_steps}"
    )


def _find_last_words(log: Path) -> tuple[str, str]:
    """Return the kind and the line of the last GPU error near the end of the log, or else its last line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").strip().splitlines()]
    for line in reversed(lines):
        if kind := find_gpu_error(line):
            return kind, line[:300]
    return "other", lines[-1][:300] if lines else "it printed nothing"
