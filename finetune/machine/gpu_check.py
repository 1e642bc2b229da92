"""Ask the interpreter of an environment whether its torch can compute on the GPUs, before a run starts.

A torch built for CPUs, a driver older than its CUDA, or a card that it has no code for would otherwise end in
the traceback of a stack.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune import isolation
from finetune.errors import StackEnvironmentError
from finetune.machine import hardware

# The oldest driver for each major version of CUDA (NVIDIA, "CUDA Compatibility", minor versions).
_OLDEST_DRIVER = {"13": 580, "12": 525, "11": 450}
# torch 2.12 to 2.14 is built for CUDA 12.6 (compute capability 5.0 to 9.0) and 13 (7.5 and newer); see
# "PyTorch CUDA Support Matrix" in pytorch's RELEASE.md. uv's own `auto` looks at the driver only.
_NEW_BACKEND, _OLD_BACKEND = "cu130", "cu126"
_OLDEST_OF_NEW, _OLDEST_OF_OLD, _NEWEST_OF_OLD = (7, 5), (5, 0), (9, 0)
_QUERY = """
import json, warnings
warnings.simplefilter("ignore")
import torch
answer = {"torch": torch.__version__, "cuda": torch.version.cuda or getattr(torch.version, "hip", None),
          "architectures": [], "gpus": [], "error": ""}
try:
    torch.cuda.init()
    answer["architectures"] = torch.cuda.get_arch_list()
    for n in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(n)
        capability = [properties.major, properties.minor]
        answer["gpus"].append([properties.name, capability, torch.cuda.mem_get_info(n)[0]])
    if not torch.cuda.is_available():
        answer["error"] = "torch.cuda.is_available() is False"
except Exception as error:
    answer["error"] = (str(error).strip() or type(error).__name__).splitlines()[0]
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class GpuSupport:
    """What the torch of an environment says about the GPUs.

    Attributes:
        torch: its version.
        cuda: the CUDA version that it is built for; None for a build for CPUs.
        architectures: GPUs that it has code for, such as ``sm_90``, or ``compute_90`` (that one and newer).
        gpus: name, compute capability and free bytes of each GPU that it sees.
        error: torch's own words if CUDA does not start.
    """

    torch: str
    cuda: str | None
    architectures: tuple[str, ...] = ()
    gpus: tuple[tuple[str, tuple[int, int], int], ...] = ()
    error: str = ""

    def __str__(self) -> str:
        """Return the facts in one line."""
        build = f"torch {self.torch}, " + (f"CUDA {self.cuda}" if self.cuda else "built for CPUs")
        gpus = [
            f"{name} ({major}.{minor}, {free / 2**30:.1f} GiB free)"
            for name, (major, minor), free in self.gpus
        ]
        return f"{build}: {', '.join(gpus) or self.error or 'no GPU'}"


def query_gpus(python: Path, variables: Mapping[str, str] | None = None) -> GpuSupport:
    """Ask the torch of an interpreter.

    Args:
        python: the interpreter.
        variables: environment variables of the run, such as CUDA_VISIBLE_DEVICES.

    Raises:
        StackEnvironmentError: torch cannot be imported there.
    """
    command = [str(python), "-c", _QUERY]
    support = _ask_torch(python, isolation.close_network(command), variables)
    if support.cuda is not None and support.error and isolation.describe_network() == isolation.NO_NETWORK:
        # The first program that uses CUDA may have to load a part of the driver, which needs a privilege
        # that a program without a network cannot get.
        _ask_torch(python, command, variables)
        support = _ask_torch(python, isolation.close_network(command), variables)
    return support


def _ask_torch(python: Path, command: list[str], variables: Mapping[str, str] | None) -> GpuSupport:
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
            env=isolation.select_variables(variables),
        )
        values = json.loads(process.stdout.strip().rpartition("\n")[2])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        last = (
            str(error) if isinstance(error, OSError | subprocess.SubprocessError) else process.stderr.strip()
        )
        reason = (last.splitlines() or ["it printed nothing"])[-1]
        raise StackEnvironmentError(f"cannot import torch with {python}: {reason}") from None
    gpus = tuple((name, (int(major), int(minor)), free) for name, (major, minor), free in values["gpus"])
    architectures = tuple(values["architectures"])
    return GpuSupport(values["torch"], values["cuda"], architectures, gpus, values["error"])


def explain_problem(support: GpuSupport, stack: str, home: str, processes: int = 1) -> str:
    """Return why these processes cannot compute on the GPUs, and what to install; empty if they can.

    Args:
        support: what torch says.
        stack: the stack's name.
        home: ``here`` or the folder of the environment.
        processes: processes on this machine, each with a GPU of its own.
    """
    if support.cuda is None:
        cards = [_split_capability(gpu.capability) for gpu in hardware.detect_machine().gpus[:processes]]
        return f"torch {support.torch} is built for CPUs. {_say_remedy(stack, home, cards)}"
    major = support.cuda.partition(".")[0]
    if "driver" in support.error and ("too old" in support.error or "insufficient" in support.error):
        remedy = (
            f"Install driver {_OLDEST_DRIVER[major]} or newer"
            if major in _OLDEST_DRIVER
            else "Install a newer driver"
        )
        if major == "13":
            remedy += (
                f", or, with driver {_OLDEST_DRIVER['12']} or newer and a card before Blackwell, an earlier "
                f"build of torch. {_say_install(stack, home, _OLD_BACKEND)}"
            )
        return f"torch {support.torch} needs CUDA {support.cuda}, but: {support.error}. {remedy}"
    if not support.gpus or support.error:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = f"; CUDA_VISIBLE_DEVICES is {visible!r}" if visible is not None else ""
        return (
            f"torch {support.torch} sees no GPU: {support.error or 'none is there'}{hint}. Check that "
            "`nvidia-smi` works here, and in a container that it was started with its GPUs (--gpus all)"
        )
    if len(support.gpus) < processes:
        count = len(support.gpus)
        return f"{processes} processes need a GPU each, but torch sees {count}; use --gpus {count}"
    for name, capability, _ in support.gpus[:processes]:
        if not _has_code(support.architectures, capability):
            version = ".".join(map(str, capability))
            return (
                f"torch {support.torch} has no code for {name} (compute capability {version}); it has code "
                f"for {', '.join(support.architectures)}. {_say_remedy(stack, home, [capability])}"
            )
    return ""


def check_gpus(
    python: Path, home: str, stack: str, variables: Mapping[str, str], processes: int
) -> GpuSupport:
    """Check that the processes of a run can compute on the GPUs.

    Args:
        python: the interpreter of the stack's environment.
        home: ``here`` or the folder of the environment.
        stack: the stack's name.
        variables: environment variables of the run.
        processes: processes on this machine.

    Raises:
        StackEnvironmentError: they cannot; the message says what to install.
    """
    support = query_gpus(python, variables)
    if problem := explain_problem(support, stack, home, processes):
        raise StackEnvironmentError(f"{stack} cannot train on the GPU: {problem}")
    return support


def _has_code(architectures: tuple[str, ...], capability: tuple[int, int]) -> bool:
    """Return whether torch has code for a card.

    Code for ``sm_86`` runs on cards of the same major version from 8.6 on; ``compute_90`` is compiled when it
    is needed, for any card from 9.0 on.
    """
    for text in architectures:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", text)
        if match is None:
            continue
        code = int(match[2]), int(match[3])
        if code <= capability and (match[1] == "compute" or code[0] == capability[0]):
            return True
    return not architectures


def _split_capability(number: float) -> tuple[int, int]:
    major, minor = f"{number:.1f}".split(".")
    return int(major), int(minor)


def _say_remedy(stack: str, home: str, capabilities: Sequence[tuple[int, int]]) -> str:
    """Return which build of torch has code for these cards and works with this driver.

    Args:
        stack: the stack's name.
        home: ``here`` or the folder of the environment.
        capabilities: of the cards; (0, 0) is unknown.
    """
    known = [capability for capability in capabilities if capability > (0, 0)]
    oldest, newest = min(known, default=_OLDEST_OF_NEW), max(known, default=_OLDEST_OF_NEW)
    if oldest < _OLDEST_OF_OLD:
        return "No build of this version of torch has code for it; use another GPU, or devices.kind = 'cpu'"
    driver = hardware.read_driver_version()
    has_old_driver = driver is not None and driver[0] < _OLDEST_DRIVER["13"]
    if oldest < _OLDEST_OF_NEW or (has_old_driver and newest <= _NEWEST_OF_OLD):
        return _say_install(stack, home, _OLD_BACKEND)
    install = _say_install(stack, home, _NEW_BACKEND)
    return f"Install driver {_OLDEST_DRIVER['13']} or newer first. {install}" if has_old_driver else install


def _say_install(stack: str, home: str, backend: str) -> str:
    if home == "here":
        return (
            f"Install another build: uv pip install --reinstall-package torch --torch-backend={backend} torch"
        )
    return f"Build its environment again: UV_TORCH_BACKEND={backend} advisor stacks rebuild {stack}"
