"""One run on several processes and machines: torchrun's words, and which of the machines this one is.

Every machine starts the same `advisor train`. Which one it is stands in the variables that torchrun has for
it (NODE_RANK, MASTER_ADDR, MASTER_PORT); the job files of `advisor train --submit` set them. The first one
prepares, records and evaluates; the others wait for its word and lend their processes. The run's folder
must be one that all of them see.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from finetune.errors import SpecError, TrainingFailed
from finetune.spec import RunSpec

GO = "go"
_POLL_SECONDS = 0.5
_PORT = "29500"


def rank() -> int:
    """Which of the machines of a run this is; 0 is the first."""
    return int(os.environ.get("NODE_RANK", "0"))


def check(spec: RunSpec) -> None:
    """Refuse a run on several machines that was not started as one.

    Raises:
        SpecError: it does not know where the first one is, or has no folder that all see.
    """
    if spec.devices.nodes == 1:
        return
    if "MASTER_ADDR" not in os.environ or "NODE_RANK" not in os.environ:
        raise SpecError(
            f"devices.nodes = {spec.devices.nodes}: every machine must know the first one and which it is. "
            "`advisor train --submit slurm` (skypilot, kubernetes) writes a job that sees to it; by hand, "
            "start the same command on each with MASTER_ADDR and NODE_RANK (0, 1, …) set"
        )
    if spec.output is None:
        raise SpecError("devices.nodes: a run on several machines needs -o FOLDER, and all must see it")


def torchrun(spec: RunSpec) -> list[str]:
    """What stands between the interpreter and its script; nothing for one process."""
    if spec.world_size == 1:
        return []
    words = ["-m", "torch.distributed.run", "--nproc-per-node", str(spec.devices.processes)]
    if spec.devices.nodes == 1:
        return [*words, "--standalone"]
    return [
        *words,
        *("--nnodes", str(spec.devices.nodes), "--node-rank", str(rank())),
        *("--master-addr", os.environ.get("MASTER_ADDR", "FIRST_MACHINE")),
        *("--master-port", os.environ.get("MASTER_PORT", _PORT)),
    ]


def wait_for_the_first(folder: Path, patience_seconds: float = 3600.0) -> None:
    """Wait until the first machine has written what training needs.

    Raises:
        TrainingFailed: it never did.
    """
    until = time.monotonic() + patience_seconds
    while not (folder / GO).is_file():
        if time.monotonic() > until:
            raise TrainingFailed(f"the first machine said nothing in {folder} for {patience_seconds:.0f} s")
        time.sleep(_POLL_SECONDS)


def lend(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run this machine's processes to their end.

    Raises:
        TrainingFailed: they ended with an error.
    """
    log = folder / f"log-{rank()}.txt"
    with log.open("ab") as out:
        done = subprocess.run(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment}, check=False
        )
    if done.returncode:
        raise TrainingFailed(f"machine {rank()} ended with exit code {done.returncode}; see {log}")
