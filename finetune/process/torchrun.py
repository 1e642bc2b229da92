"""Run one training on several processes or machines: torchrun's arguments, and the rank of this machine.

Every machine (node) starts the same `advisor train`. torchrun's variables (NODE_RANK, MASTER_ADDR,
MASTER_PORT) say which node it is; the job files of `advisor train --submit` set them. The first node
prepares, records and evaluates. The others wait for its signal and then run their training processes. All
nodes must see the run's folder.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from finetune import isolation
from finetune.errors import SpecError, TrainingError
from finetune.spec import RunSpec

READY_FILE = "go"  # in the run's folder: the first node has written what training needs
_POLL_SECONDS = 0.5
_PORT = "29500"


def node_rank() -> int:
    """Return the rank of this machine in the run; 0 is the first."""
    return int(os.environ.get("NODE_RANK", "0"))


def check_nodes(spec: RunSpec) -> None:
    """Check that a run on several machines was started as one.

    Raises:
        SpecError: the address of the first node or the run's folder is missing.
    """
    if spec.devices.nodes == 1:
        return
    if "MASTER_ADDR" not in os.environ or "NODE_RANK" not in os.environ:
        raise SpecError(
            f"devices.nodes = {spec.devices.nodes}: each machine needs the address of the first one and "
            "its own rank. `advisor train --submit slurm` (skypilot, kubernetes) writes a job with both. "
            "By hand, start the same command on each machine with MASTER_ADDR and NODE_RANK (0, 1, …) set"
        )
    if spec.output is None:
        raise SpecError("devices.nodes: a run on several machines needs -o FOLDER that all of them can see")


def build_arguments(spec: RunSpec) -> list[str]:
    """Return the arguments between the interpreter and its script; none for a single process."""
    if spec.world_size == 1:
        return []
    arguments = ["-m", "torch.distributed.run", "--nproc-per-node", str(spec.devices.processes)]
    if spec.devices.nodes == 1:
        return [*arguments, "--standalone"]
    return [
        *arguments,
        *("--nnodes", str(spec.devices.nodes), "--node-rank", str(node_rank())),
        *("--master-addr", os.environ.get("MASTER_ADDR", "FIRST_MACHINE")),
        *("--master-port", os.environ.get("MASTER_PORT", _PORT)),
    ]


def wait_for_first_node(folder: Path, timeout_seconds: float = 3600.0) -> None:
    """Wait until the first node has written what training needs.

    Raises:
        TrainingError: it did not do so in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (folder / READY_FILE).is_file():
        if time.monotonic() > deadline:
            raise TrainingError(
                f"the first machine did not start training in {folder} within {timeout_seconds:.0f} s"
            )
        time.sleep(_POLL_SECONDS)


def run_worker_node(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run the training processes of a node that is not the first.

    Raises:
        TrainingError: they failed.
    """
    log = folder / f"log-{node_rank()}.txt"
    with log.open("ab") as out:
        process = subprocess.run(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=isolation.select_variables(environment),
            check=False,
        )
    if process.returncode:
        raise TrainingError(f"machine {node_rank()} failed with exit code {process.returncode}; see {log}")
