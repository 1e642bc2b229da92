"""Run a command where the packages of `library-advisor[train]` are installed.

Tokenising and evaluating need transformers and torch. A plain installation of advisor has neither. The
environment of the trl stack has both, and everything else that advisor needs. So the command starts
again there, with a copy of our two packages, which are pure Python.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import advisor.errors
from finetune.errors import StackEnvironmentError
from finetune.process import environment
from finetune.stacks import load_stack

_REQUIRED_PACKAGES = ("transformers", "torch", "peft", "datasketch")


def is_installed() -> bool:
    """Return whether this interpreter has the packages to tokenise and evaluate."""
    try:
        for name in _REQUIRED_PACKAGES:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def enter_environment(arguments: list[str], progress: Callable[[str], None] = lambda _: None) -> None:
    """Continue in trl's environment if the packages are not installed here.

    Then this function does not return: a new process replaces this one.

    Args:
        arguments: command line after ``advisor``.
        progress: called with a line of text when the environment is built.

    Raises:
        StackEnvironmentError: the environment does not exist and cannot be built.
    """
    if is_installed():
        return
    trl = load_stack("trl")
    trl_environment = environment.ensure_environment(trl.lock, trl.required_packages, progress)
    copy_packages(Path(trl_environment.home))
    with suppress(StackEnvironmentError):  # a complete environment needs no uv
        os.environ[environment.UV_VARIABLE] = environment.find_uv()
    python = trl_environment.python
    os.execv(python, [str(python), "-m", "advisor", *arguments])  # noqa: S606 - needs no shell


def import_transformers_without_torch() -> None:
    """Import transformers without torch, unless one of them is loaded already.

    Tokenizers need no torch, but transformers imports torch if it is installed, which takes more than
    half of the wrapper's processor time. Use this only in the process of a command: transformers has no
    models there afterwards.
    """
    if "torch" in sys.modules or "transformers" in sys.modules:
        return
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # else it warns that torch is missing
    sys.modules["torch"] = None  # type: ignore[assignment]  # makes `import torch` fail
    try:
        importlib.import_module("transformers.models.auto.tokenization_auto")
    finally:
        del sys.modules["torch"]


def copy_packages(home: Path) -> Path:
    """Copy our packages and data into an environment; return its site-packages."""
    (site,) = home.glob("lib/python*/site-packages")
    package = Path(advisor.errors.__file__).parent
    for source in (package, Path(__file__).parent):
        target = site / source.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    if not (package / "_data").is_dir():
        shutil.copytree(package.parent / "data", site / "advisor" / "_data")
    return site
