"""One virtual environment per stack, built with uv from our lock file, cached, and checked before use.

The lock file (`finetune/stacks/NAME.lock`) pins every package to an exact version. uv resolves packages that
the lock does not name but another platform needs (the CUDA libraries). The hash of the lock file and the
Python version identify an environment; a seal file marks one that was built completely. If the stack is
already installed beside advisor (its extra `train`, or a working CUDA set-up), that environment is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from advisor.files import cache_home
from finetune.errors import StackEnvironmentError

_SEAL = "advisor-seal.json"
_PROBE = (
    "import json, sys\n"
    "from importlib import metadata\n"
    "print(json.dumps({'python': sys.version.split()[0], 'packages': "
    "{d.metadata['Name'].lower().replace('_', '-'): d.version for d in metadata.distributions()}}))"
)


@dataclass(frozen=True)
class Environment:
    """A Python interpreter with a stack installed.

    Attributes:
        python: path of the interpreter.
        home: ``here`` (the environment that advisor runs in) or the folder of the environment.
        packages: name → version.
        seconds, bytes: build time and size on disk; 0 for ``here``.
    """

    python: Path
    home: str
    packages: Mapping[str, str] = field(repr=False)
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Health:
    """Whether an environment can be used (``ready``, ``absent`` or ``broken``), and why."""

    state: str
    why: str
    environment: Environment | None = None


def read_pins(lock: Path) -> dict[str, str]:
    """Return name → exact version of each package in a lock file."""
    pins = {}
    for line in lock.read_text("utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line.strip()):
            pins[match[1].lower().replace("_", "-")] = match[2]
    return pins


def check_current(lock: Path, required_packages: tuple[str, ...]) -> Health:
    """Check whether advisor's own environment has the stack; versions may differ from the lock file."""
    packages = {}
    for name in required_packages:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Health("absent", f"{name} is not installed beside advisor")
    pins = read_pins(lock)
    other_versions = [
        f"{n} {v} (tested: {pins.get(n, 'none')})"
        for n, v in packages.items()
        if v.partition("+")[0] != pins.get(n)
    ]
    why = "installed beside advisor"
    if other_versions:
        why += f"; versions differ from the tested ones: {', '.join(other_versions)}"
    all_packages = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}
    return Health("ready", why, Environment(Path(sys.executable), "here", all_packages))


def environment_folder(lock: Path) -> Path:
    """Return the folder for the environment of this lock file, whether it exists or not."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return cache_home() / "environments" / f"{lock.stem}-py{python_version(lock)}-{digest}"


def python_version(lock: Path) -> str:
    """Return the Python version in the lock file's first line; without one, the current version."""
    match = re.search(r"for Python (\d+\.\d+)", lock.read_text("utf-8").partition("\n")[0])
    return match[1] if match else f"{sys.version_info.major}.{sys.version_info.minor}"


def check_environment(lock: Path) -> Health:
    """Check the environment of a lock file with its own interpreter.

    Every package in the lock file must be installed in that version (local labels such as ``+cpu`` in
    ``2.13.0+cpu`` are ignored).
    """
    folder = environment_folder(lock)
    if not folder.is_dir():
        return Health("absent", f"not built yet; its folder would be {folder}")
    python = folder / "bin" / "python"
    seal = read_build_costs(lock)
    if not seal:
        return Health("broken", f"the build of {folder} did not finish")
    try:
        process = subprocess.run(
            [str(python), "-I", "-c", _PROBE], capture_output=True, text=True, timeout=120, check=True
        )
        packages = json.loads(process.stdout)["packages"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return Health("broken", f"its interpreter does not work: {str(error).splitlines()[0]}")
    wrong = [
        f"{name} is {packages.get(name, 'missing')}, not {version}"
        for name, version in read_pins(lock).items()
        if packages.get(name, "").partition("+")[0] != version.partition("+")[0]
    ]
    if wrong:
        return Health("broken", "; ".join(wrong[:5]) + (f" and {len(wrong[5:])} more" if wrong[5:] else ""))
    environment = Environment(python, str(folder), packages, seal["seconds"], seal["bytes"])
    return Health("ready", str(folder), environment)


def read_build_costs(lock: Path) -> dict[str, Any]:
    """Return ``seconds`` and ``bytes`` of the build of this environment; empty if it was not built."""
    try:
        seal: dict[str, Any] = json.loads((environment_folder(lock) / _SEAL).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return seal


def ensure_environment(
    lock: Path, required_packages: tuple[str, ...], progress: Callable[[str], None] = lambda _: None
) -> Environment:
    """Return an environment for a stack: the current one, the cached one, or a new one.

    Raises:
        StackEnvironmentError: the cached environment differs from its lock file, or the build fails.
    """
    current = check_current(lock, required_packages)
    if current.environment is not None:
        return current.environment
    cache = check_environment(lock)
    if cache.state == "broken":
        raise StackEnvironmentError(
            f"the environment of {lock.stem} is broken: {cache.why}. Run "
            f"`advisor stacks rebuild {lock.stem}` to build it again"
        )
    return cache.environment or build_environment(lock, progress)


def build_environment(lock: Path, progress: Callable[[str], None] = lambda _: None) -> Environment:
    """Build the environment of a lock file; an existing one is deleted first.

    Raises:
        StackEnvironmentError: uv is not installed, a package cannot be installed, or the result differs from
            the lock file.
    """
    uv = find_uv()
    folder = environment_folder(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    variables = {**os.environ, "VIRTUAL_ENV": str(folder)}
    variables.setdefault("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))
    if not variables["UV_FIND_LINKS"]:
        del variables["UV_FIND_LINKS"]
    locked_version = python_version(lock)
    current_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    is_current = locked_version == current_version
    python = sys.executable if is_current or not _has_python(uv, locked_version) else locked_version
    fallback = ""
    if python != locked_version and not is_current:
        fallback = f"; Python {locked_version} is not available, so this uses {current_version}"
    progress(f"building the environment of {lock.stem} in {folder}{fallback}")
    for command in (
        [uv, "venv", "--quiet", "--python", python, str(folder)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--requirement", str(lock)],
    ):
        process = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        if process.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise StackEnvironmentError(
                f"cannot build the environment of {lock.stem}: {' '.join(command[1:3])} failed with exit "
                f"code {process.returncode}: {' '.join(process.stderr.split())[-600:]}"
            )
    seal: dict[str, Any] = {
        "lock": lock.name,
        "seconds": round(time.monotonic() - began, 1),
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()),
    }
    (folder / _SEAL).write_text(json.dumps(seal))
    health = check_environment(lock)
    if health.environment is None:
        raise StackEnvironmentError(
            f"the environment of {lock.stem} is broken right after the build: {health.why}"
        )
    progress(f"built in {seal['seconds']:.0f} s, {seal['bytes'] / 2**30:.1f} GiB")
    return health.environment


def _has_python(uv: str, version: str) -> bool:
    """Return whether uv can find or download this Python version."""
    for arguments in (["find", version], ["install", version]):
        if subprocess.run([uv, "python", *arguments], capture_output=True, check=False).returncode == 0:
            return True
    return False


def find_uv() -> str:
    """Return the uv program, from PATH or from the folder of the current interpreter.

    Raises:
        StackEnvironmentError: uv is not installed.
    """
    neighbour = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(neighbour) if neighbour.is_file() else None)
    if uv is None:
        raise StackEnvironmentError(
            "uv is not installed; advisor builds environments with it: pip install uv"
        )
    return uv


def to_record(environment: Environment, names: Collection[str]) -> dict[str, object]:
    """Return the environment for a run's record, with the packages in ``names`` only."""
    packages = {name: version for name, version in sorted(environment.packages.items()) if name in names}
    return {**asdict(environment), "python": str(environment.python), "packages": packages}
