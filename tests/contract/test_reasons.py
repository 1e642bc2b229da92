"""An exception from a linter, a type checker or the coverage stands with its reason, or does not stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXCEPTION = re.compile(r"# (noqa|type: ignore|pragma: no)")
REASONED = re.compile(
    r"# noqa: [A-Z0-9, ]+ - \S|# type: ignore\[[a-z, -]+\] +# \S|# pragma: no (branch|cover) - \S"
)
FOLDERS = ("advisor", "finetune", "scripts", "benchmarks", "notebooks", "tests")
# Its mistakes are made on purpose, one a line; the top of the file says so.
MISTAKES = ROOT / "tests" / "typing" / "mistakes.py"


def without_reason(text: str) -> list[str]:
    return [line for line in text.splitlines() if EXCEPTION.search(line) and not REASONED.search(line)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_exception_has_its_reason(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {
        f.name: bare
        for f in files
        if f not in {MISTAKES, Path(__file__)}
        if (bare := without_reason(f.read_text("utf-8")))
    }
    assert found == {}


def test_what_counts_as_a_reason():
    bare = [
        "x = 1  # noqa: E731",
        "x = 1  # noqa",
        "y()  # type: ignore[misc]",
        "y()  # type: ignore",
        "z  # pragma: no branch",
    ]
    given = [
        "x = 1  # noqa: E731 - short",
        "y()  # type: ignore[misc]  # untyped",
        "z  # pragma: no branch - why",
    ]
    assert without_reason("\n".join(bare + given)) == bare
