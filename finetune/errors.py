"""Every error that the fine-tune half raises on purpose; the base is advisor's.

AdvisorError                     exit code 1
├── TrainingFailed               the training process ended with an error
│   ├── OutOfMemory
│   ├── LossNotFinite
│   └── DiskFull
├── TrainingInterrupted          stopped by the user or a signal; a checkpoint was kept (exit code 130)
├── EnvironmentBroken            a stack's environment cannot be built or used
└── InputError                   exit code 2
    ├── SpecError                the run specification is wrong
    │   └── UnsupportedField     a stack cannot honour a field
    ├── DataError                the data cannot be trained on
    ├── ModelError               the base model cannot be used
    └── RunError                 there is no such run, or it cannot do what is asked
"""

from __future__ import annotations

from advisor.errors import AdvisorError, InputError

EXIT_INTERRUPTED = 130


class TrainingFailed(AdvisorError):
    """The training process ended with an error."""


class OutOfMemory(TrainingFailed):
    """The memory of the machine or the GPU was not enough."""


class LossNotFinite(TrainingFailed):
    """The loss became NaN or infinite."""


class DiskFull(TrainingFailed):
    """The disk took no more bytes."""


class TrainingInterrupted(AdvisorError):
    """Stopped before its end on request; what was reached is kept."""

    exit_code = EXIT_INTERRUPTED


class EnvironmentBroken(AdvisorError):
    """A stack's environment cannot be built, or is not what its lock file says."""


class SpecError(InputError):
    """The run specification is wrong."""


class UnsupportedField(SpecError):
    """A stack cannot honour a field; nothing is dropped in silence."""

    def __init__(self, stack: str, field: str, value: object, why: str) -> None:
        super().__init__(f"{stack} cannot honour {field} = {value!r}: {why}")
        self.stack, self.field = stack, field


class DataError(InputError):
    """The data cannot be trained on."""


class ModelError(InputError):
    """The base model cannot be used."""


class RunError(InputError):
    """There is no such run, or it cannot do what is asked."""
