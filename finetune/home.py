"""Where our own half runs: here, if `advisor[train]` is installed; else inside trl's environment.

Tokenising and evaluating need transformers and torch. Whoever installed plain advisor has neither; the
environment of the trl stack has both, and all that advisor itself needs. So the command is started again
in there, with a copy of our two packages put beside (they are pure Python, and go where they are newer).
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import advisor.errors
from finetune.process import environment
from finetune.stacks import stack

_NEEDED = ("transformers", "torch", "peft", "datasketch")


def is_here() -> bool:
    """Whether this interpreter can tokenise and evaluate."""
    try:
        for name in _NEEDED:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def enter(arguments: list[str], progress: Callable[[str], None] = lambda _: None) -> None:
    """Return where our half can run; else start the command again in trl's environment, for good.

    Raises:
        EnvironmentBroken: there is none and it cannot be built.
    """
    if is_here():
        return
    trl = stack("trl")
    made = environment.ready(trl.lock, trl.needed, progress)
    settle(Path(made.home))
    os.execv(made.python, [str(made.python), "-m", "advisor", *arguments])  # noqa: S606 - no shell is wanted


def without_torch() -> None:
    """Import transformers in a way that leaves torch out, unless one of them is loaded already.

    The wrapper tokenises, and tokenizers need no torch; but transformers loads it wherever it finds it,
    which is more than half of the wrapper's processor time. For a command's own process alone: what it
    imports of transformers has no models afterwards.
    """
    if "torch" in sys.modules or "transformers" in sys.modules:
        return
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it would say that torch is missing
    sys.modules["torch"] = None  # type: ignore[assignment]  # the import system's word for "not there"
    try:
        importlib.import_module("transformers.models.auto.tokenization_auto")
    finally:
        del sys.modules["torch"]


def settle(home: Path) -> Path:
    """Copy our two packages and their data into an environment; its site-packages."""
    (site,) = home.glob("lib/python*/site-packages")
    package = Path(advisor.errors.__file__).parent
    for source in (package, Path(__file__).parent):
        target = site / source.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    if not (package / "_data").is_dir():
        shutil.copytree(package.parent / "data", site / "advisor" / "_data")
    return site
