"""The stream of events that all stacks write: one JSON object per line of `events.jsonl`.

This module uses the standard library only.

event       fields besides `event` and `time` (seconds since 1970)
started     pid (only rank 0 writes events)
imported    rss_bytes
loaded      parameters, trainable, seconds, rss_bytes, peak_rss_bytes
spread      processes, parameters, parameters_here (in rank 0; with FSDP a part of all)
step        step, steps, epoch, loss, learning_rate, grad_norm, tokens (so far, no padding), trained (those of
            them that contributed to the loss), rss_bytes, gpu_bytes. Preferences also have accuracy (share of
            the pairs with a higher reward for the chosen answer) and margin (of the rewards).
validated   step, loss. Preferences also have accuracy and margin.
saved       step, path
stopping    step, why: `asked` or `wrapper gone`
finished    step, seconds, peak_rss_bytes, peak_gpu_bytes; tokens and trained: what the stack counted;
            planned_tokens, planned_trained: what the order of the rows says, without packing
failed      kind: `out_of_memory`, `not_finite`, `disk_full`, a kind of `gpu_errors` or `other`; message
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from finetune.runners.gpu_errors import find_gpu_error
    from finetune.runners.shards import sum_over_processes
    from finetune.runners.template_limit import limit_templates
else:
    from gpu_errors import find_gpu_error
    from shards import sum_over_processes
    from template_limit import limit_templates

WRAPPER_PID = "ADVISOR_WRAPPER_PID"
COMPLETE = "complete"
IGNORE_INDEX = -100  # the label of a token that does not contribute to the loss
# The last text is from torch.save, which gives no reason for an incomplete write.
_DISK_FULL_TEXTS = ("no space left", "file too large", "disk quota", "failed writing file", "unexpected pos")


def count_trained_labels(labels: Sequence[Any]) -> int:
    """Return how many labels contribute to the loss; the first one does not, as no token comes before it."""
    return sum(int(label) != IGNORE_INDEX for label in labels[1:])


class NotFinite(ArithmeticError):
    """The loss became NaN or infinite."""


class StopTraining(Exception):
    """Training has saved and stopped, on request."""


class Emitter:
    """Writes events to a run's folder; a ``quiet`` one (in ranks above 0) writes nothing.

    Attributes:
        has_stopped: whether training stopped on request.
        tokens, trained_tokens: tokens (no padding) and labels that contributed to the loss in this process
            since it started (tensors after the first batch).
        stream: the order of the rows, a `finetune.runners.stream.Stream`; None if the stack has its own.
        is_packed: whether its rows are packed, so that the stack drops some labels.
        earlier: the counts before this start.
    """

    def __init__(self, run: Path, *, quiet: bool = False) -> None:
        self.run = run
        self.quiet = quiet
        self.has_stopped = False
        self.tokens: Any = 0
        self.trained_tokens: Any = 0
        self.stream: Any = None
        self.is_packed = False
        self.earlier = {"tokens": 0, "trained": 0}

    def __call__(self, event: str, **fields: Any) -> None:
        """Append one event in a single write call, so that a reader sees all of it or nothing."""
        if self.quiet:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields}) + "\n"
        with (self.run / "events.jsonl").open("ab", buffering=0) as file:
            file.write(line.encode())

    def count_labels(self, labels: Any) -> None:
        """Count the labels that contribute to the next loss, without waiting for the GPU."""
        self.trained_tokens = self.trained_tokens + (labels != IGNORE_INDEX).sum().detach()

    def count_rows(self, rows: Iterable[tuple[Any, Any]]) -> None:
        """Count the tokens of rows that a stack reads; a row without trained labels is a filler.

        Args:
            rows: tokens and labels of each row, without padding.
        """
        self.tokens += sum(len(tokens) for tokens, labels in rows if count_trained_labels(labels))

    def count_batch(self, labels: Any, mask: Any) -> None:
        """Count the tokens and the trained labels of a micro-batch; a row without trained labels is a filler.

        Args:
            labels: of shape (rows, tokens); no token comes before the first, so that is not predicted.
            mask: 1 for each token that is no padding, of the same shape; None: there is no padding.
        """
        self.count_labels(labels[:, 1:])
        rows = (labels[:, 1:] != IGNORE_INDEX).any(dim=1, keepdim=True)
        tokens = rows.expand_as(labels) if mask is None else rows * mask
        self.tokens = self.tokens + tokens.sum().detach()

    def count_work(self) -> dict[str, int]:
        """Return the tokens and the trained tokens of the run so far; all processes must call this."""
        tokens, trained = sum_over_processes([float(self.tokens), float(self.trained_tokens)])
        return {
            "tokens": self.earlier["tokens"] + int(tokens),
            "trained": self.earlier["trained"] + int(trained),
        }

    def start_at(self, step: int) -> None:
        """Count from a step on, the one of the checkpoint that the run resumes from."""
        if self.stream is not None:
            self.earlier = self.stream.count_work(step)

    def report_model(self, model: Any, began: float) -> None:
        """Report the model's size; ``began`` is a value of `time.monotonic`."""
        self(
            "loaded",
            parameters=sum(p.numel() for p in model.parameters()),
            trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
            seconds=round(time.monotonic() - began, 2),
            rss_bytes=rss_bytes(),
            peak_rss_bytes=peak_rss_bytes(),
        )

    def report_end(self, step: int, began: float) -> None:
        """Report the end of a complete training; this is the last event. All processes must call this."""
        plan = {} if self.stream is None or self.is_packed else self.stream.count_work(step)
        self(
            "finished",
            step=step,
            seconds=round(time.monotonic() - began, 2),
            peak_rss_bytes=peak_rss_bytes(),
            peak_gpu_bytes=gpu_bytes("max_memory_allocated"),
            **self.count_work(),
            **{f"planned_{name}": count for name, count in plan.items()},
        )

    def should_stop(self, step: int, *, world_size: int = 1) -> bool:
        """Return whether to stop at the end of this step.

        All processes must stop at the same step. Rank 0 decides two steps ahead: no other rank can finish
        that step without a gradient from rank 0, which comes after the decision.
        """
        stop_file = self.run / "stop-at"
        if not self.quiet and not stop_file.exists() and (why := self._find_stop_reason()):
            ahead = 2 if world_size > 1 else 0
            draft = stop_file.with_suffix(".draft")
            draft.write_text(str(step + ahead))
            draft.replace(stop_file)
            self("stopping", step=step + ahead, why=why)
        self.has_stopped = stop_file.exists() and step >= int(stop_file.read_text())
        return self.has_stopped

    def _find_stop_reason(self) -> str | None:
        if (self.run / "stop").exists():
            return "asked"
        wrapper = int(os.environ.get(WRAPPER_PID, "0"))
        return "wrapper gone" if wrapper and not is_alive(wrapper) else None


def is_alive(pid: int) -> bool:
    """Return whether a process with this id is running (a zombie is not)."""
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
    """Mark a checkpoint as completely written; a run never resumes from one without the mark."""
    with (checkpoint / COMPLETE).open("wb") as mark:
        os.fsync(mark.fileno())


def peak_rss_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rss_bytes() -> int:
    """Return the resident memory now; 0 on a system without /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def gpu_bytes(counter: str = "memory_allocated") -> int:
    """Return a memory counter of torch's GPU allocator; 0 without a GPU."""
    import torch

    return int(getattr(torch.cuda, counter)()) if torch.cuda.is_available() else 0


def main(train: Callable[[Path, Path, Emitter], None]) -> int:
    """Run a stack's ``train(config, run, emit)`` with the arguments of the command line.

    A failure becomes an event and exit code 1; its traceback goes to the log.
    """
    config, run = Path(sys.argv[1]), Path(sys.argv[2])
    emit = Emitter(run, quiet=os.environ.get("RANK", "0") != "0")
    emit("started", pid=os.getpid())
    limit_templates(run)
    try:
        train(config, run, emit)
    except StopTraining:
        return 0
    except BaseException as error:  # noqa: BLE001 - every failure becomes an event
        traceback.print_exc()
        kind, message = classify_error(error)
        try:
            emit("failed", kind=kind, message=message)
        except OSError:
            print(f"cannot write the event: {kind}: {message}", file=sys.stderr)
        return 1
    return 0


def classify_error(error: BaseException) -> tuple[str, str]:
    """Return the kind and the first line of the error that ended training."""
    message = str(error).strip() or type(error).__name__
    low = message.lower()
    is_disk_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if is_disk_full or any(text in low for text in _DISK_FULL_TEXTS):
        kind = "disk_full"
    elif isinstance(error, NotFinite):
        kind = "not_finite"
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        kind = "out_of_memory"
    else:
        kind = find_gpu_error(message) or "other"
    return kind, f"{type(error).__name__}: {message.splitlines()[0]}"
