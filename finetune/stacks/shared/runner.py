"""The command line of a runner, for stacks that start one script in their own environment."""

from __future__ import annotations

from pathlib import Path

from finetune.process import torchrun
from finetune.spec import RunSpec
from finetune.stacks import Job


def runner_command(python: Path, runner: Path, config: str, spec: RunSpec, job: Job) -> list[str]:
    """Return the command of a runner; torchrun starts several processes where the spec asks for them.

    Args:
        python: the interpreter of the stack environment.
        runner: the script.
        config: file name of the native config.
        spec: the run spec.
        job: the folders of the run.
    """
    return [
        str(python),
        *torchrun.build_arguments(spec),
        str(runner),
        str(job.native / config),
        str(job.folder),
    ]
