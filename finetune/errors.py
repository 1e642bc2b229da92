"""Every error that `finetune` raises on purpose; the base class is advisor's.

AdvisorError                     exit code 1
├── TrainingError                the training process ended with an error
│   ├── OutOfMemory
│   ├── LossNotFinite
│   ├── DiskFull
│   └── FileUnusable             a file or a folder cannot be written or read
├── TrainingInterruption         stopped by the user or a signal; a checkpoint remains (exit code 130)
├── StackEnvironmentError        a stack's environment cannot be built or used
└── InputError                   exit code 2
    ├── SpecError                the run spec is wrong
    │   └── UnsupportedField     a stack does not support the value of a field
    ├── DataError                the data cannot be used for training
    ├── ModelError               the base model cannot be used
    └── RunError                 the run does not exist, or its state does not allow the command
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.errors import AdvisorError, InputError

EXIT_INTERRUPT = 130


class TrainingError(AdvisorError):
    """The training process ended with an error."""


class OutOfMemory(TrainingError):
    """The machine or the GPU does not have enough memory."""


class LossNotFinite(TrainingError):
    """The loss became NaN or infinite."""


class DiskFull(TrainingError):
    """The disk is full."""


class FileUnusable(TrainingError):
    """A file or a folder cannot be written or read."""


def explain_os_error(error: OSError, place: Path) -> TrainingError:
    """Return the error that says which file the system refused, why, and what to do.

    Args:
        error: the error; the file that it names counts.
        place: the file or folder if it names none.
    """
    path, reason = error.filename or place, error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"cannot write {path}: {reason}; free some disk space, then use --resume")
    return FileUnusable(f"cannot use {path}: {reason}; check its permissions, or choose another folder")


@contextmanager
def explain_os_errors(place: Path) -> Iterator[None]:
    """Turn an error of the system in the block into one message; see `explain_os_error`."""
    try:
        yield
    except OSError as error:
        raise explain_os_error(error, place) from None


class TrainingInterruption(AdvisorError):
    """The user or a signal stopped the training; its checkpoints remain."""

    exit_code = EXIT_INTERRUPT


class StackEnvironmentError(AdvisorError):
    """A stack's environment cannot be built, or does not match its lock file."""


class SpecError(InputError):
    """The run spec is wrong."""


class UnsupportedField(SpecError):
    """A stack does not support a field's value; no stack drops a field in silence.

    Attributes:
        stack, field, value, why: what the message says.
        supported_value: a value that the stack supports; None if there is none.
    """

    def __init__(
        self, stack: str, field: str, value: object, why: str, *, supported_value: object = None
    ) -> None:
        super().__init__(f"{stack} does not support {field} = {value!r}: {why}")
        self.stack, self.field, self.value, self.why = stack, field, value, why
        self.supported_value = supported_value


class DataError(InputError):
    """The data cannot be used for training."""


class ModelError(InputError):
    """The base model cannot be used."""


class RunError(InputError):
    """The run does not exist, or its state does not allow the command."""
