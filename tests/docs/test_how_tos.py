"""The pages "add a …" are carried out in a copy of the project, block after block, as a newcomer would.

A block says by its first line what it is: ``file=PATH`` is that file, ``append=PATH`` comes after what the
file holds, ``sh`` is typed. Other blocks are for reading. What is added is one file, and its test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {p.stem: p for p in sorted((ROOT / "docs" / "how-to").glob("add-a-*.md"))}
BLOCK = re.compile(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
# `make` would build an environment for the copy; what it runs there is run in ours.
MAKE = {"make docs": "python scripts/reference.py docs/reference"}


@pytest.fixture
def copy(tmp_path):
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def typed(line, folder):
    """One line of a shell, with this environment's commands and the copy's code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "XDG_DATA_HOME": str(folder / ".home")}
    done = subprocess.run(MAKE.get(line, line), shell=True, cwd=folder, env=env, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def follow(page, folder):
    """Carry out a page; what its typed lines print."""
    printed = []
    for language, told, body in BLOCK.findall(page.read_text()):
        how, _, name = told.partition("=")
        if how == "file":
            assert not (folder / name).exists(), f"{name} is there already"
            (folder / name).write_text(body)
        elif how == "append":
            target = folder / name
            target.write_text(
                f"{target.read_text()}\n\n{body}" if language == "python" else f"{target.read_text()}\n{body}"
            )
        elif language == "sh":
            printed += [typed(line, folder) for line in body.splitlines()]
    return "\n".join(printed)


def test_there_is_a_page_for_each_thing_that_can_be_added():
    assert set(PAGES) == {f"add-a-{thing}" for thing in ("metric", "rule", "domain", "source", "stack")}


@pytest.mark.parametrize(("page", "said"), [
    ("add-a-metric", ["passed"]),
    ("add-a-rule", ["1 passed", "went "]),
    ("add-a-domain", ["Recommendation: ", "passed"]),
    ("add-a-source", ["passed"]),
    ("add-a-stack", ["peft_loop", "2 passed"]),
])  # fmt: skip
def test_a_page_carried_out(page, said, copy):
    printed = follow(PAGES[page], copy)
    assert [text for text in said if text not in printed] == []
    assert "failed" not in printed
    touched = {t.partition("=")[2] for _, t, _ in BLOCK.findall(PAGES[page].read_text()) if "=" in t}
    assert [name.startswith("tests/") for name in sorted(touched)] in ([False], [False, True])
    if added := [name for name in touched if name.endswith(".py")]:
        typed(f"ruff check {' '.join(added)}", copy)
