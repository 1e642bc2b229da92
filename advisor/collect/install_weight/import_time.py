"""Measure the processor time that an import takes in an environment; this runs the library's code."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.collect.http.messages import clean_text
from advisor.errors import InputError

RUNS = 3
_MAX_SECONDS = 300
_FIND_MODULE = """
import json, re, sys
from importlib import metadata
def normalise(name): return re.sub(r"[-_.]+", "-", name).lower()
package = normalise(sys.argv[1])
names = sorted(m for m, ds in metadata.packages_distributions().items() if package in map(normalise, ds))
others = ("tests", "test", "docs")
names = [n for n in names if n.isidentifier() and not n.startswith("_") and n not in others]
own = [n for n in names if normalise(n) == package]
print(json.dumps({"module": (own or names or [None])[0], "version": metadata.version(sys.argv[1]),
                  "python": "%d.%d" % sys.version_info[:2]}))
"""


@dataclass(frozen=True)
class ImportTime:
    """The processor time of an import, without that of the start of Python.

    Attributes:
        seconds, slowest: of the fastest and of the slowest run.
    """

    module: str
    version: str
    python: str
    seconds: float
    slowest: float
    runs: int = RUNS


def measure_import(python: Path, package: str, variables: Mapping[str, str]) -> ImportTime:
    """Import the main module of a package several times.

    Args:
        python: the interpreter of the environment.
        package: name of the package.
        variables: environment variables of the runs.

    Raises:
        InputError: the environment does not have the package, or the import fails.
    """
    try:
        result = subprocess.run(
            [python, "-c", _FIND_MODULE, package], capture_output=True, check=True, env=dict(variables),
            timeout=_MAX_SECONDS,
        )  # fmt: skip
        content = json.loads(result.stdout)
    except FileNotFoundError:
        raise InputError(f"no Python {python} (--import-with)") from None
    except (subprocess.SubprocessError, ValueError):
        raise InputError(f"the environment of {python} does not have the package {package}") from None
    module = content["module"]
    if module is None:
        raise InputError(f"{package} has no module to import")
    start = min(_measure([str(python), "-c", "pass"], variables) for _ in range(RUNS))
    times = [_measure([str(python), "-c", f"import {module}"], variables) - start for _ in range(RUNS)]
    return ImportTime(
        module,
        content["version"],
        content["python"],
        round(max(0.0, min(times)), 3),
        round(max(0.0, *times), 3),
    )


def _measure(command: Sequence[str], variables: Mapping[str, str]) -> float:
    """Return the processor seconds of a command and of the processes that it waits for."""
    with subprocess.Popen(
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise InputError(f"{command[-1]} fails: {clean_text(lines[-1] if lines else 'no message', 200)}")
    return usage.ru_utime + usage.ru_stime
