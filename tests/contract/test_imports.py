"""Every kind of forbidden import breaks a contract, in a file that the contracts do not name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "finetune reads fact tables": ("finetune/plan/new.py", "import advisor.facts.tables"),
    "finetune reads the model": ("finetune/new.py", "import advisor.model"),
    "the facts speak HTTP": ("advisor/facts/new.py", "import httpx"),
    "an answer starts a process": ("advisor/answers/new.py", "import subprocess"),
    "a lazy import starts a process": ("advisor/decide/new.py", "def run():\n    import subprocess"),
    "a report trains": ("advisor/report/new.py", "import finetune.run"),
    "a collector trains": ("advisor/collect/new.py", "import finetune.spec"),
    "facts import an answer": ("advisor/facts/new.py", "import advisor.answers.question"),
    "a metric imports a rule": ("advisor/metrics/shared/new.py", "import advisor.decide.rules"),
    "weights import a stack": ("finetune/weights/new.py", "import finetune.stacks"),
    "a command imports a command": ("advisor/cli/commands/new.py", "import advisor.cli.commands.rank"),
    "a folder that no layer names": ("advisor/new.py", ""),
}


def check(folder):
    """Run import-linter on the code of a folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    """The two packages without their data, and the contracts."""
    for package in ("advisor", "finetune"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "assets")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_code_keeps_its_contracts():
    done = check(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "text"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_forbidden_import_breaks_a_contract(copy, file, text):
    (copy / file).write_text(text)
    done = check(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout or "not listed as layers" in done.stdout


@pytest.mark.parametrize("lazy", [False, True])
def test_a_cycle_breaks_a_contract(copy, lazy):
    (copy / "advisor/report/one.py").write_text("import advisor.report.two")
    (copy / "advisor/report/two.py").write_text(
        "def run():\n    import advisor.report.one" if lazy else "import advisor.report.one"
    )
    done = check(copy)
    assert done.returncode == 1
    assert "cycle" in done.stdout
