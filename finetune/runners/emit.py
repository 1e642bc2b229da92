"""One stream of events for all stacks: a JSON object a line in `events.jsonl`; standard library only.

event       fields besides `event` and `time` (seconds since 1970)
started     pid, process (rank 0 alone writes), versions
loaded      parameters, trainable, seconds
spread      processes, parameters, parameters_here (of rank 0; with FSDP a part of all)
step        step, steps, epoch, loss, learning_rate, grad_norm, tokens (so far), trained (of these, what
            bore loss in rank 0, since this start), rss_bytes, gpu_bytes
validated   step, loss
saved       step, path
stopping    step, why: `asked` or `wrapper gone`
finished    step, seconds, peak_rss_bytes, peak_gpu_bytes
failed      kind: `out_of_memory`, `not_finite`, `disk_full` or `other`; message
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRAPPER_PID = "ADVISOR_WRAPPER_PID"
COMPLETE = "complete"
IGNORED = -100  # the label of a token that bears no loss
# The last is torch.save, which tells no reason when a write is short.
_FULL_DISK = ("no space left", "file too large", "disk quota", "failed writing file", "unexpected pos")


class NotFinite(ArithmeticError):
    """The loss became NaN or infinite."""


class Stopped(Exception):
    """The training was asked to end, and has saved."""


class Emitter:
    """Appends events; `quiet` ones (ranks above 0) write nothing."""

    def __init__(self, run: Path, *, quiet: bool = False) -> None:
        self.run = run
        self.quiet = quiet
        self.stopped = False
        self.trained: Any = 0

    def __call__(self, event: str, **fields: Any) -> None:
        """Append one event; one write call, so a reader never sees half of one and waits for the rest."""
        if self.quiet:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields}) + "\n"
        with (self.run / "events.jsonl").open("ab", buffering=0) as file:
            file.write(line.encode())

    def bears_loss(self, labels: Any) -> None:
        """Count the labels that a loss is about to be taken of; no GPU is waited for."""
        self.trained = self.trained + (labels != IGNORED).sum().detach()

    def loaded(self, model: Any, began: float) -> None:
        """Say what will be trained; ``began`` is of `time.monotonic`."""
        self(
            "loaded",
            parameters=sum(p.numel() for p in model.parameters()),
            trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
            seconds=round(time.monotonic() - began, 2),
            rss_bytes=rss_bytes(),
            peak_rss_bytes=peak_rss_bytes(),
        )

    def finished(self, step: int, began: float) -> None:
        """The last word of a training that came to its end."""
        self(
            "finished",
            step=step,
            seconds=round(time.monotonic() - began, 2),
            peak_rss_bytes=peak_rss_bytes(),
            peak_gpu_bytes=gpu_bytes("max_memory_allocated"),
        )

    def stop_at(self, step: int, *, world_size: int = 1) -> bool:
        """Whether to stop at the end of this step.

        With several processes all must stop at the same step. Rank 0 decides, two steps ahead: no
        other rank can end that step without a gradient from rank 0, which comes after the decision.
        """
        agreed = self.run / "stop-at"
        if not self.quiet and not agreed.exists() and (why := self._wants_stop()):
            ahead = 2 if world_size > 1 else 0
            draft = agreed.with_suffix(".draft")
            draft.write_text(str(step + ahead))
            draft.replace(agreed)
            self("stopping", step=step + ahead, why=why)
        self.stopped = agreed.exists() and step >= int(agreed.read_text())
        return self.stopped

    def _wants_stop(self) -> str | None:
        if (self.run / "stop").exists():
            return "asked"
        wrapper = int(os.environ.get(WRAPPER_PID, "0"))
        return "wrapper gone" if wrapper and not alive(wrapper) else None


def alive(pid: int) -> bool:
    """Whether a process of this id runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def mark_complete(checkpoint: Path) -> None:
    """Say that everything of a checkpoint is on disk; without the mark it is never resumed from."""
    with (checkpoint / COMPLETE).open("wb") as mark:
        os.fsync(mark.fileno())


def peak_rss_bytes() -> int:
    """Largest resident memory of this process until now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rss_bytes() -> int:
    """Resident memory now; 0 where /proc does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def gpu_bytes(what: str = "memory_allocated") -> int:
    """What torch counts on its GPU; 0 without one."""
    import torch

    return int(getattr(torch.cuda, what)()) if torch.cuda.is_available() else 0


def main(train: Callable[[Path, Path, Emitter], None]) -> int:
    """Run a stack's ``train(config, run, emit)`` as the command line says.

    A failure becomes an event and exit code 1; its traceback goes to the log.
    """
    config, run = Path(sys.argv[1]), Path(sys.argv[2])
    emit = Emitter(run, quiet=os.environ.get("RANK", "0") != "0")
    emit("started", pid=os.getpid())
    try:
        train(config, run, emit)
    except Stopped:
        return 0
    except BaseException as error:  # noqa: BLE001 - the whole point is to report it
        traceback.print_exc()
        kind, message = classify(error)
        try:
            emit("failed", kind=kind, message=message)
        except OSError:
            print(f"the event could not be written either: {kind}: {message}", file=sys.stderr)
        return 1
    return 0


def classify(error: BaseException) -> tuple[str, str]:
    """Kind and first line of what ended the training."""
    text = str(error).strip() or type(error).__name__
    low = text.lower()
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or any(words in low for words in _FULL_DISK):
        kind = "disk_full"
    elif isinstance(error, NotFinite):
        kind = "not_finite"
    elif (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in low
        or "can't allocate memory" in low
        or "cannot allocate memory" in low
    ):
        kind = "out_of_memory"
    else:
        kind = "other"
    return kind, f"{type(error).__name__}: {text.splitlines()[0]}"
