"""One virtual environment per stack, built with uv from our lock file, cached, and checked before use.

The lock file (`finetune/stacks/NAME.lock`) pins every package, with the hashes of its files, for the CUDA
build of torch. uv installs what `NAME.in` names and what that requires, in the locked versions, so an
environment with torch's CPU build has no CUDA libraries. The hash of the lock file and the Python version
identify an environment; a seal file marks one that was built completely. If the stack is already installed
beside advisor (`advisor[train]`, or a working CUDA set-up), that environment is used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from advisor.files import cache_home
from finetune import isolation
from finetune.errors import StackEnvironmentError

_SEAL = "advisor-seal.json"
UV_VARIABLE = "UV"
_PROBE = (
    "import json, re, sys\n"
    "from importlib import metadata\n"
    "print(json.dumps({'python': sys.version.split()[0], 'packages': "
    "{re.sub('[-_.]+', '-', d.metadata['Name']).lower(): d.version for d in metadata.distributions()}}))"
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


def read_pins(lock: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return name → exact version of each package that a lock file has for a Python and a platform.

    Args:
        lock: the lock file.
        variables: values of marker variables such as ``python_version``; this process gives the others.
    """
    pins: dict[str, str] = {}
    for line in lock.read_text("utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;([^\\]+))?", line.strip())
        if match and (not match[3] or Marker(match[3]).evaluate(dict(variables or {}))):
            pins[canonicalize_name(match[1])] = match[2]
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
    descriptions = (distribution.metadata for distribution in metadata.distributions())
    all_packages: dict[str, str] = {canonicalize_name(one["Name"]): one["Version"] for one in descriptions}
    return Health("ready", why, Environment(Path(sys.executable), "here", all_packages))


def environment_folder(lock: Path) -> Path:
    """Return the folder for the environment of this lock file, whether it exists or not."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return cache_home() / "environments" / f"{lock.stem}-py{python_version(lock)}-{digest}"


def python_version(lock: Path) -> str:
    """Return the current Python version, or the last one in the lock file's first line if that lacks it."""
    first_line = lock.read_text("utf-8").partition("\n")[0]
    current = sys.version_info.minor
    match = re.search(r"for Python 3\.(\d+)(?: to 3\.(\d+))?", first_line)
    if match is None or int(match[1]) <= current <= int(match[2] or match[1]):
        return f"3.{current}"
    return f"3.{match[2] or match[1]}"


def check_environment(lock: Path) -> Health:
    """Check the environment of a lock file with its own interpreter.

    Every package that the build installed must be there in the version of the lock file (local labels such
    as ``+cpu`` in ``2.13.0+cpu`` are ignored).
    """
    folder = environment_folder(lock)
    if not folder.is_dir():
        return Health("absent", f"not built yet; its folder would be {folder}")
    python = folder / "bin" / "python"
    seal = read_build_costs(lock)
    if not seal:
        return Health("broken", f"the build of {folder} did not finish")
    try:
        version, packages = _probe(python)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return Health("broken", f"its interpreter does not work: {str(error).splitlines()[0]}")
    pins = read_pins(lock, _python_markers(version))
    built_packages = seal.get("packages", pins)
    wrong = [
        f"{name} is {packages.get(name, 'missing')}, not {version}"
        for name, version in pins.items()
        if name in built_packages and packages.get(name, "").partition("+")[0] != version.partition("+")[0]
    ]
    if wrong:
        return Health("broken", "; ".join(wrong[:5]) + (f" and {len(wrong[5:])} more" if wrong[5:] else ""))
    environment = Environment(python, str(folder), packages, seal["seconds"], seal["bytes"])
    return Health("ready", str(folder), environment)


def _probe(python: Path) -> tuple[str, dict[str, str]]:
    """Return an interpreter's version, and its packages: name → version."""
    process = subprocess.run(
        isolation.close_network([str(python), "-I", "-c", _PROBE]),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=isolation.select_variables(),
    )
    answer = json.loads(process.stdout)
    return answer["python"], answer["packages"]


def _python_markers(version: str) -> dict[str, str]:
    """Return the marker variables of a Python version such as ``3.11.7``."""
    return {"python_full_version": version, "python_version": ".".join(version.split(".")[:2])}


def read_build_costs(lock: Path) -> dict[str, Any]:
    """Return ``seconds``, ``bytes`` and ``packages`` (names) of the build; empty if there was none."""
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
    with _lock_build(lock, progress):
        if not read_build_costs(lock):  # there is none, or the process that built it was killed
            return _build(lock, progress)
    cache = check_environment(lock)
    if cache.environment is None:
        raise StackEnvironmentError(
            f"the environment of {lock.stem} is broken: {cache.why}. Run "
            f"`advisor stacks rebuild {lock.stem}` to build it again"
        )
    return cache.environment


@contextmanager
def _lock_build(lock: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other process builds this environment."""
    folder = environment_folder(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another advisor that builds the environment of {lock.stem}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_environment(
    lock: Path, progress: Callable[[str], None] = lambda _: None, *, unless_ready: bool = False
) -> Environment:
    """Build the environment of a lock file; an existing one is deleted first.

    Args:
        lock: the lock file.
        progress: called with a sentence about each stage.
        unless_ready: use an environment that is ready, such as one that another process builds now.

    Raises:
        StackEnvironmentError: uv is not installed, a package cannot be installed, or the result differs from
            the lock file.
    """
    with _lock_build(lock, progress):
        health = check_environment(lock) if unless_ready else None
        if health is not None and health.environment is not None:
            return health.environment
        return _build(lock, progress)


def _build(lock: Path, progress: Callable[[str], None]) -> Environment:
    uv = find_uv()
    folder = environment_folder(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    variables = {**uv_variables(), "VIRTUAL_ENV": str(folder)}
    locked_version = python_version(lock)
    current_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    is_current = locked_version == current_version
    python = sys.executable if is_current or not _has_python(uv, locked_version) else locked_version
    fallback = ""
    if python != locked_version and not is_current:
        fallback = f"; Python {locked_version} is not available, so this uses {current_version}"
    progress(f"building the environment of {lock.stem} in {folder}{fallback}")
    create = [uv, "venv", "--quiet", "--python", python, str(folder)]
    for command in (create, *_install_commands(uv, lock, variables)):
        process = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        if process.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise StackEnvironmentError(
                f"cannot build the environment of {lock.stem}: {' '.join(command[1:3])} failed with exit "
                f"code {process.returncode}: {' '.join(process.stderr.split())[-600:]}"
            )
    _, packages = _probe(folder / "bin" / "python")
    seal: dict[str, Any] = {
        "lock": lock.name,
        "seconds": round(time.monotonic() - began, 1),
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()),
        "packages": sorted(packages),
    }
    (folder / _SEAL).write_text(json.dumps(seal))
    health = check_environment(lock)
    if health.environment is None:
        raise StackEnvironmentError(
            f"the environment of {lock.stem} is broken right after the build: {health.why}"
        )
    progress(f"built in {seal['seconds']:.0f} s, {seal['bytes'] / 2**30:.1f} GiB")
    return health.environment


def _install_commands(uv: str, lock: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """Return the commands that install what `NAME.in` requires, in the locked versions."""
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode"]
    roots = ["--requirement", str(lock.with_suffix(".in")), "--constraint", str(lock)]
    if not (variables.get("UV_FIND_LINKS") or variables.get("UV_TORCH_BACKEND")):
        return [[*install, "--require-hashes", *roots]]
    # These bring another build of torch, whose hashes no lock file has: it comes first, unchecked. Then uv
    # checks the hash of each package that the lock file names.
    torch = [f"torch=={version}" for name, version in read_pins(lock).items() if name == "torch"]
    first = [[*install, "--no-deps", *torch]] if torch else []
    return [*first, [*install, "--verify-hashes", *roots]]


def _has_python(uv: str, version: str) -> bool:
    """Return whether uv can find or download this Python version."""
    for arguments in (["find", version], ["install", version]):
        command = [uv, "python", *arguments]
        if subprocess.run(command, capture_output=True, env=uv_variables(), check=False).returncode == 0:
            return True
    return False


def uv_variables() -> dict[str, str]:
    """Return the variables of uv; pip's PIP_FIND_LINKS counts too."""
    variables = isolation.select_variables(with_index=True)
    if variables.get("PIP_FIND_LINKS"):
        variables.setdefault("UV_FIND_LINKS", variables["PIP_FIND_LINKS"])
    return variables


def find_uv() -> str:
    """Return the uv program: beside the current interpreter, from the variable UV, or from PATH.

    uv itself sets UV for the programs that it starts, and so does `train_extra` when advisor continues in
    an environment without uv.

    Raises:
        StackEnvironmentError: uv is not installed.
    """
    candidates = (str(Path(sys.executable).with_name("uv")), os.environ.get(UV_VARIABLE), "uv")
    uv = next((program for name in candidates if name and (program := shutil.which(name))), None)
    if uv is None:
        raise StackEnvironmentError(
            "uv is not installed; advisor builds environments with it: pip install uv"
        )
    return uv


def to_record(environment: Environment, names: Collection[str]) -> dict[str, object]:
    """Return the environment for a run's record, with the packages in ``names`` only."""
    packages = {name: version for name, version in sorted(environment.packages.items()) if name in names}
    return {**asdict(environment), "python": str(environment.python), "packages": packages}
