"""Another released version of a stack: its lock file, and the environment of a run that uses it.

A stack's lock file has one version. For another one uv resolves the stack's requirements again, with that
version in place of the tested one and with the lock file's versions as preferences, so that as little else as
possible differs. A run with such a lock file has a copy of it, so that it also resumes with it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from advisor.files import draft_folder
from finetune.errors import StackEnvironmentError
from finetune.process import environment

# As in `make locks`: one lock file for every platform, with the hashes of torch's CUDA build.
_COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    *("--no-annotate", "--no-header", "--no-emit-index-url", "--generate-hashes"),
)
_OTHER_BUILDS = ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_TORCH_BACKEND")


def lock_version(stack_lock: Path, version: str, folder: Path) -> Path:
    """Return ``FOLDER/STACK-VERSION.lock``, which uv resolves if it does not exist.

    For the version in the stack's own lock file (``stack_lock``), that file is the answer.
    The other requirements of the stack keep their exact versions. If this version of the stack does not allow
    that, they are only preferences.

    Raises:
        StackEnvironmentError: uv is not installed, or this version cannot be resolved.
    """
    name = stack_lock.stem
    if environment.read_pins(stack_lock).get(name) == version:
        return stack_lock
    lock = folder / f"{name}-{version}.lock"
    if lock.is_file():
        return lock
    uv = environment.find_uv()
    with draft_folder(folder, ".advisor-draft-") as draft:
        file = draft / lock.name
        errors = []
        for requirements in _list_requirements(stack_lock, version):
            file.with_suffix(".in").write_text(requirements, "utf-8")
            shutil.copyfile(stack_lock, file)
            errors.append(_compile(uv, file))
            if not errors[-1]:
                break
        else:
            raise StackEnvironmentError(f"cannot resolve {name} {version}: {errors[0]}")
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


def copy_lock(lock: Path, run: Path) -> None:
    """Copy a lock file and its requirements into the folder of a run."""
    native = run / "native"
    native.mkdir(exist_ok=True)
    for file in (lock.with_suffix(".in"), lock):
        shutil.copyfile(file, native / file.name)


def find_lock(run: Path, stack_lock: Path) -> Path:
    """Return the lock file of a run: its own, or that of its stack."""
    return next(iter(sorted((run / "native").glob("*.lock"))), stack_lock)


def ensure_environment(
    run: Path,
    stack_lock: Path,
    required_packages: tuple[str, ...],
    progress: Callable[[str], None] = lambda _: None,
) -> environment.Environment:
    """Return the environment of a run; with its own lock file, never what is installed beside advisor.

    Raises:
        StackEnvironmentError: the environment cannot be built or used.
    """
    lock = find_lock(run, stack_lock)
    if lock == stack_lock:
        return environment.ensure_environment(lock, required_packages, progress)
    return environment.build_environment(lock, progress, unless_ready=True)
