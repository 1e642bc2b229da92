"""A virtual environment a stack, built with uv from a lock file of ours, cached, verified before use.

The lock file (`finetune/stacks/NAME.lock`) pins every package by exact version. What the lock does not
name but a package of another platform needs (CUDA's libraries) uv resolves. An environment is known by
the hash of its lock and the Python version; a finished one has a seal beside its interpreter. Whoever
has the stack installed next to advisor already (`advisor[train]`, a working CUDA set-up) needs none.
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
from finetune.errors import EnvironmentBroken

_SEAL = "advisor-seal.json"
_PROBE = (
    "import json, sys\n"
    "from importlib import metadata\n"
    "print(json.dumps({'python': sys.version.split()[0], 'packages': "
    "{d.metadata['Name'].lower().replace('_', '-'): d.version for d in metadata.distributions()}}))"
)


@dataclass(frozen=True)
class Environment:
    """An interpreter with a stack in it.

    Attributes:
        python: the interpreter.
        home: ``here`` (the environment that advisor runs in) or the folder of its own.
        packages: name → version.
        seconds, bytes: what building it cost; 0 for ``here``.
    """

    python: Path
    home: str
    packages: Mapping[str, str] = field(repr=False)
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Health:
    """Whether an environment can be used: ``ready``, ``absent`` or ``broken``, and why."""

    state: str
    why: str
    environment: Environment | None = None


def pins(lock: Path) -> dict[str, str]:
    """Name → exact version of a lock file."""
    found = {}
    for line in lock.read_text("utf-8").splitlines():
        if hit := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line.strip()):
            found[hit[1].lower().replace("_", "-")] = hit[2]
    return found


def here(lock: Path, needed: tuple[str, ...]) -> Health:
    """Whether the environment that advisor runs in has the stack; versions may differ from the lock."""
    packages = {}
    for name in needed:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Health("absent", f"{name} is not installed beside advisor")
    wanted = pins(lock)
    other = [
        f"{n} {v} (tested: {wanted.get(n, 'none')})"
        for n, v in packages.items()
        if v.partition("+")[0] != wanted.get(n)
    ]
    why = "installed beside advisor" + (f"; other versions than tested: {', '.join(other)}" if other else "")
    every = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}
    return Health("ready", why, Environment(Path(sys.executable), "here", every))


def folder_of(lock: Path) -> Path:
    """Where the environment of this lock file stands, built or not."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return cache_home() / "environments" / f"{lock.stem}-py{python_version(lock)}-{digest}"


def python_version(lock: Path) -> str:
    """The Python that a lock file is for, if its first line says so; else the one that runs this."""
    hit = re.search(r"for Python (\d+\.\d+)", lock.read_text("utf-8").partition("\n")[0])
    return hit[1] if hit else f"{sys.version_info.major}.{sys.version_info.minor}"


def check(lock: Path) -> Health:
    """Look at the environment of a lock file, by asking its own interpreter.

    Every pin of the lock must be installed in that version (local labels as in ``2.13.0+cpu`` aside).
    """
    folder = folder_of(lock)
    if not folder.is_dir():
        return Health("absent", f"not built yet; it would stand in {folder}")
    python = folder / "bin" / "python"
    seal = built(lock)
    if not seal:
        return Health("broken", f"{folder} was not built to its end")
    try:
        probed = subprocess.run(
            [str(python), "-I", "-c", _PROBE], capture_output=True, text=True, timeout=120, check=True
        )
        packages = json.loads(probed.stdout)["packages"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return Health("broken", f"its interpreter does not answer: {str(error).splitlines()[0]}")
    wrong = [
        f"{name} is {packages.get(name, 'missing')}, not {version}"
        for name, version in pins(lock).items()
        if packages.get(name, "").partition("+")[0] != version.partition("+")[0]
    ]
    if wrong:
        return Health("broken", "; ".join(wrong[:5]) + (f" and {len(wrong[5:])} more" if wrong[5:] else ""))
    environment = Environment(python, str(folder), packages, seal["seconds"], seal["bytes"])
    return Health("ready", str(folder), environment)


def built(lock: Path) -> dict[str, Any]:
    """What building this lock file's environment cost: ``seconds``, ``bytes``; empty where none stands."""
    try:
        seal: dict[str, Any] = json.loads((folder_of(lock) / _SEAL).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return seal


def ready(
    lock: Path, needed: tuple[str, ...], progress: Callable[[str], None] = lambda _: None
) -> Environment:
    """The environment to run a stack in: the one at hand, the cached one, or a new one.

    Raises:
        EnvironmentBroken: there is a cached one that is not what its lock says, or building fails.
    """
    at_hand = here(lock, needed)
    if at_hand.environment is not None:
        return at_hand.environment
    cached = check(lock)
    if cached.state == "broken":
        raise EnvironmentBroken(
            f"the environment of {lock.stem} is broken: {cached.why}. `advisor stacks rebuild {lock.stem}` "
            "makes it anew"
        )
    return cached.environment or build(lock, progress)


def build(lock: Path, progress: Callable[[str], None] = lambda _: None) -> Environment:
    """Build the environment of a lock file anew, beside the old one, and put it in its place.

    Raises:
        EnvironmentBroken: uv is not to be had, a package cannot be installed, or the result does not
            hold what the lock says.
    """
    uv = find_uv()
    folder = folder_of(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    variables = {**os.environ, "VIRTUAL_ENV": str(folder)}
    variables.setdefault("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))
    if not variables["UV_FIND_LINKS"]:
        del variables["UV_FIND_LINKS"]
    wanted = python_version(lock)
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = sys.executable if wanted == ours or not _has_python(uv, wanted) else wanted
    other = f"; there is no Python {wanted} to be had, so with {ours}" if python != wanted != ours else ""
    progress(f"building the environment of {lock.stem} in {folder}{other}")
    for step in (
        [uv, "venv", "--quiet", "--python", python, str(folder)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--requirement", str(lock)],
    ):
        done = subprocess.run(step, capture_output=True, text=True, env=variables, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise EnvironmentBroken(
                f"the environment of {lock.stem} cannot be built: {' '.join(step[1:3])} ended with "
                f"{done.returncode}: {' '.join(done.stderr.split())[-600:]}"
            )
    seal: dict[str, Any] = {
        "lock": lock.name,
        "seconds": round(time.monotonic() - began, 1),
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()),
    }
    (folder / _SEAL).write_text(json.dumps(seal))
    made = check(lock)
    if made.environment is None:
        raise EnvironmentBroken(f"the environment of {lock.stem} is broken right after building: {made.why}")
    progress(f"built in {seal['seconds']:.0f} s, {seal['bytes'] / 2**30:.1f} GiB")
    return made.environment


def _has_python(uv: str, version: str) -> bool:
    """Whether uv finds this Python, or can fetch it."""
    for words in (["find", version], ["install", version]):
        if subprocess.run([uv, "python", *words], capture_output=True, check=False).returncode == 0:
            return True
    return False


def find_uv() -> str:
    """The uv program, from PATH or beside this interpreter.

    Raises:
        EnvironmentBroken: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise EnvironmentBroken("uv is not installed, and environments are built with it: pip install uv")
    return found


def as_dict(environment: Environment, wanted: Collection[str]) -> dict[str, object]:
    """For a record: of the packages those that the lock names."""
    packages = {name: version for name, version in sorted(environment.packages.items()) if name in wanted}
    return {**asdict(environment), "python": str(environment.python), "packages": packages}
