"""Start programs with a list of allowed variables and, where the system can, without a network.

A stack and the code of a model run with your permissions. The list leaves out what such code could steal from
the environment (tokens, cloud keys, agents). Without a network it can send nothing: all that training needs
is on the machine by then. See docs/explanation/security.md for what remains open.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from typing import IO, cast

from finetune import child_progress
from finetune.child_progress import OnProgress, ignore_progress
from finetune.runners import no_network

NETWORK_VARIABLE, PASS_VARIABLE = "ADVISOR_NETWORK", "ADVISOR_PASS_VARIABLES"
NO_NETWORK = "closed"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
_PYTHON = sys.executable
_JOIN_SECONDS = 10
_VARIABLES = re.compile(
    # the user, the system, paths of programs and of libraries
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|COLUMNS|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP"
    r"|XDG_(?:CACHE|CONFIG|DATA|STATE)_HOME|PYTHON\w+|VIRTUAL_ENV|CONDA_PREFIX"
    r"|(?:DY)?LD_LIBRARY_PATH|LD_PRELOAD|LIBRARY_PATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|CPATH|CC|CXX|MALLOC_\w+"
    # GPUs, threads, and the connections between the processes of a run
    r"|(?:CUDA|CUDNN|CUBLAS|CUFILE|NVIDIA|NVTE|NVSHMEM|NCCL|GLOO|UCX|FI|RDMAV|HIP|HSA|ROCM|ROCR|ROCBLAS|MIOPEN"
    r"|GPU|ZE|ONEAPI|SYCL|OMP|MKL|KMP|GOMP|OPENBLAS|BLIS|NUMEXPR|NUMBA)_\w+"
    r"|MASTER_ADDR|MASTER_PORT|NODE_RANK"
    # the settings of the libraries, and where they find models and data; no tokens
    r"|(?:TORCH|TORCHINDUCTOR|TORCHELASTIC|PYTORCH|TRITON|XFORMERS|FLASH_ATTENTION|BNB|BITSANDBYTES|ACCELERATE"
    r"|TRANSFORMERS|TOKENIZERS|SAFETENSORS|UNSLOTH|AXOLOTL|LIGER)_\w+"
    r"|HF_(?:HOME|HUB_CACHE|ASSETS_CACHE|XET_CACHE|DATASETS_CACHE|MODULES_CACHE)|HUGGINGFACE_HUB_CACHE"
    r"|HF_HUB_OFFLINE|HF_DATASETS_OFFLINE|HF_HUB_DISABLE_\w+|DO_NOT_TRACK|ADVISOR_GPUS|LLAMA_CPP"
)
# How uv and pip reach an index: its address with its password, certificates, proxies.
_INDEX = re.compile(
    r"(?:UV(?!_PUBLISH)|PIP)_\w+|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NETRC"
    r"|(?:https?|all|no)_proxy",
    re.IGNORECASE,
)
_SECRET = re.compile(r"TOKEN(?!IZERS)|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY", re.IGNORECASE)
_PROBE = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
    try:
        outside.connect(("192.0.2.1", 9))
    except OSError:
        raise SystemExit(0)
raise SystemExit("the network is still there")
"""


def select_variables(
    variables: Mapping[str, str] | None = None, *, with_index: bool = False
) -> dict[str, str]:
    """Return the variables of this process that a program of others may see.

    Those whose names the variable ADVISOR_PASS_VARIABLES lists (with commas) pass too.

    Args:
        variables: more variables, which replace those of this process.
        with_index: whether the program installs packages, so that it needs the address of the index.
    """
    names = {name.strip() for name in os.environ.get(PASS_VARIABLE, "").split(",")}
    selection = {
        name: value
        for name, value in os.environ.items()
        if name in names
        or (_VARIABLES.fullmatch(name) and not _SECRET.search(name))
        or (with_index and _INDEX.fullmatch(name))
    }
    return {**selection, **(variables or {})}


def describe_network() -> str:
    """Return ``closed``, or ``open`` and the reason why started programs keep the network."""
    if os.environ.get(NETWORK_VARIABLE) == "open":
        return f"open: {NETWORK_VARIABLE} is open"
    reason = _probe()
    return f"open: {reason}" if reason else NO_NETWORK


def close_network(command: list[str]) -> list[str]:
    """Return the command without a network, or the command as it is if the network stays open."""
    if describe_network() != NO_NETWORK:
        return command
    return [_PYTHON, "-I", "-S", no_network.__file__, *command]


def run_program(
    command: list[str],
    variables: Mapping[str, str] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with the allowed variables and without a network; capture its output.

    Args:
        command: the program and its arguments.
        variables: see `select_variables`.
        on_progress: gets what the program says about its progress (`child_progress`).
    """
    errors: list[str] = []

    def read_errors(stream: IO[str]) -> None:
        for line in stream:
            progress = child_progress.read_line(line)
            if progress is None:
                errors.append(line)
            else:
                on_progress(*progress)

    with subprocess.Popen(
        close_network(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=select_variables(variables),
    ) as process:
        reader = threading.Thread(target=read_errors, args=(process.stderr,), daemon=True)
        try:
            reader.start()
            text = cast("IO[str]", process.stdout).read()
            reader.join()
            process.wait()
        except BaseException:  # Ctrl-C: the program must not go on alone
            process.kill()
            if reader.is_alive():  # else it would read from a closed file
                reader.join(_JOIN_SECONDS)
            raise
    return subprocess.CompletedProcess(command, process.returncode, text, "".join(errors))


@cache
def _probe() -> str:
    """Return why the system does not let this user close the network; empty if it does."""
    command = [_PYTHON, "-I", "-S", no_network.__file__, _PYTHON, "-I", "-S", "-c", _PROBE]
    try:
        process = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    lines = process.stderr.strip().splitlines() or ["the probe printed nothing"]
    return lines[-1] if process.returncode else ""
