"""Another released version of a stack: its lock file, and the environment of a run that uses it.

A stack's lock file has one version. For another one uv resolves the stack's requirements again, with that
version in place of the tested one and with the lock file's versions as preferences, so that as little else as
possible differs. A run names its version, so that it also resumes with it. It has no lock file of its own,
because the folder of a run may come from a stranger.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from packaging.version import InvalidVersion, Version

from advisor.files import cache_home, draft_folder
from finetune.errors import StackEnvironmentError
from finetune.process import environment

# As in `make locks`: one lock file for every platform, with the hashes of torch's CUDA build.
_COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    *("--no-annotate", "--no-header", "--no-emit-index-url", "--generate-hashes"),
)
_FILE = Path("native", "stack-version.txt")
_MOST_BYTES = 100
_OTHER_BUILDS = ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_TORCH_BACKEND")


def locate_lock(stack_lock: Path, version: str) -> Path:
    """Return where the lock file of a version is, or will be: beside the tested one, or in the cache."""
    name = stack_lock.stem
    if environment.read_pins(stack_lock).get(name) == version:
        return stack_lock
    digest = hashlib.sha256(stack_lock.read_bytes()).hexdigest()[:12]
    return cache_home() / "locks" / digest / f"{name}-{version}.lock"


def lock_version(stack_lock: Path, version: str) -> Path:
    """Return the lock file of a version of a stack; uv resolves it if it does not exist.

    The other requirements of the stack keep their exact versions. If this version of the stack does not allow
    that, they are only preferences.

    Args:
        stack_lock: the stack's own lock file.
        version: a released version.

    Raises:
        StackEnvironmentError: uv is not installed, or this version cannot be resolved.
    """
    lock = locate_lock(stack_lock, version)
    if lock.is_file():
        return lock
    uv = environment.find_uv()
    with draft_folder(lock.parent, ".advisor-draft-") as draft:
        file = draft / lock.name
        errors = []
        for requirements in _list_requirements(stack_lock, version):
            file.with_suffix(".in").write_text(requirements, "utf-8")
            shutil.copyfile(stack_lock, file)
            errors.append(_compile(uv, file))
            if not errors[-1]:
                break
        else:
            raise StackEnvironmentError(f"cannot resolve {stack_lock.stem} {version}: {errors[0]}")
        python_versions = stack_lock.read_text("utf-8").partition(". ")[0]
        header = f"{python_versions}. Written by: advisor bench --parity\n"
        file.write_text(header + file.read_text("utf-8"), "utf-8")
        file.with_suffix(".in").replace(lock.with_suffix(".in"))
        file.replace(lock)
    return lock


def _list_requirements(stack_lock: Path, version: str) -> tuple[str, str]:
    """Return the requirements with this version of the stack: the others exact, and without versions."""
    pin = re.compile(r"^([A-Za-z0-9._-]+)==.*$", re.MULTILINE)
    own_pin = f"{stack_lock.stem}=={version}"
    text = stack_lock.with_suffix(".in").read_text("utf-8")
    exact = pin.sub(lambda match: own_pin if match[1] == stack_lock.stem else match[0], text)
    free = pin.sub(lambda match: own_pin if match[1] == stack_lock.stem else match[1], text)
    return exact, free


def _compile(uv: str, lock: Path) -> str:
    """Resolve ``lock`` from the requirements beside it; return uv's error, which is empty after a success."""
    variables = environment.uv_variables()
    for name in _OTHER_BUILDS:
        variables.pop(name, None)
    command = [uv, *_COMPILE, str(lock.with_suffix(".in")), "--output-file", str(lock)]
    process = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    if process.returncode == 0:
        return ""
    return " ".join(process.stderr.split())[-600:] or f"uv ended with exit code {process.returncode}"


def write_version(run: Path, version: str) -> None:
    """Write into the folder of a run that it uses this version of its stack."""
    (run / _FILE).parent.mkdir(exist_ok=True)
    (run / _FILE).write_text(f"{version}\n", "utf-8")


def find_lock(run: Path, stack_lock: Path) -> Path:
    """Return the lock file of a run: that of its version, or that of its stack; it may not exist yet.

    Raises:
        StackEnvironmentError: the run names no version.
    """
    version = _read_version(run)
    return stack_lock if version is None else locate_lock(stack_lock, version)


def _read_version(run: Path) -> str | None:
    """Return the version that a run names; its folder may come from a stranger."""
    file = run / _FILE
    if not file.is_file():
        return None
    with file.open("rb") as content:
        text = content.read(_MOST_BYTES).decode("utf-8", "replace").strip()
    try:
        return str(Version(text))
    except InvalidVersion:
        raise StackEnvironmentError(f"{file} has no version: {text!a}") from None


def ensure_environment(
    run: Path,
    stack_lock: Path,
    required_packages: tuple[str, ...],
    progress: Callable[[str], None] = lambda _: None,
) -> environment.Environment:
    """Return the environment of a run; of one that names a version, never what is installed beside advisor.

    Raises:
        StackEnvironmentError: the environment cannot be built or used.
    """
    version = _read_version(run)
    if version is None:
        return environment.ensure_environment(stack_lock, required_packages, progress)
    return environment.build_environment(lock_version(stack_lock, version), progress, unless_ready=True)
