"""The how-to pages work: the tests run every example, block after block, as a newcomer would.

The first line of a block says what to do with it: ``sh`` runs it (``exit=N``: with this exit code;
``network``: only its options are checked), ``text NAME`` and ``file=PATH`` write a file, ``append=PATH``
appends to a file, ``diff`` changes one. Other blocks are only for reading.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from bare_environment import bare_environment

from advisor import recommend
from advisor.cli import app, load

load(None)

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"
PAGES = ("rank-your-dependencies", "a-domain-of-your-own", "collect-many")
ADD_PAGES = {p.stem: p for p in sorted(HOW_TO.glob("add-a-*.md"))}
BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# `make` would build an environment for the copy; the copy uses the environment of the tests.
# Lines that a test runs in another way: make has no environment here, and all months take minutes.
_KEEP = "python scripts/keep_answers.py"
STAND_INS = {
    "make docs": "python scripts/reference.py docs/reference",
    _KEEP: f"{_KEEP} --months 1",
    f"{_KEEP} data/snapshots/dataframes": f"{_KEEP} --months 1 data/snapshots/dataframes",
}


def blocks(page):
    """Return language, attributes and text of every block."""
    return BLOCK.findall(page.read_text())


@pytest.fixture
def folder(tmp_path):
    """A folder with `advisor` in bin/ and two small git histories in mirror/."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "advisor"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m advisor "$@"\n')
    script.chmod(0o755)
    author = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@shipyard.org", "GIT_COMMITTER_NAME": "Ada",
              "GIT_COMMITTER_EMAIL": "ada@shipyard.org", "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip
    for name in ("lib", "tool"):
        clone = tmp_path / "mirror" / name
        clone.mkdir(parents=True)
        for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
            subprocess.run(["git", "-C", clone, *command], env={**os.environ, **author}, check=True)
    return tmp_path


def run(script, folder):
    """Run a shell script in a folder, with nothing of the developer's environment."""
    summary = str(folder / "summary.md")  # as GitHub sets it for a step
    env = bare_environment(HOME=str(folder), XDG_DATA_HOME=str(folder / "data"), GITHUB_STEP_SUMMARY=summary)
    env["PATH"] = f"{folder / 'bin'}:{env['PATH']}"
    return subprocess.run(
        ["sh", "-ec", script], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_page_runs(page, folder):
    page_blocks = blocks(HOW_TO / f"{page}.md")
    assert [language for language, _, _ in page_blocks].count("sh") >= 3
    for language, attributes, text in page_blocks:
        if language == "text":
            (folder / attributes).write_text(text)
        elif language == "sh" and attributes == "network":
            for line in text.splitlines():
                check_options(line)
        elif language == "sh":
            process = run(text, folder)
            code = int(attributes.partition("exit=")[2] or 0)
            assert process.returncode == code, text + process.stderr
        elif language == "yaml":
            steps = yaml.safe_load(text)["jobs"]["health"]["steps"]
            lines = [step["run"] for step in steps if "advisor rank" in step.get("run", "")]
            assert len(lines) == 2
            assert [run(line, folder).returncode for line in lines] == [0, 4]
            assert "torchtune" in (folder / "summary.md").read_text()
    if page == "collect-many":
        whole, together = (read_tables(folder / name) for name in ("whole", "together"))
        assert whole and together == whole


def read_tables(store):
    return {p.relative_to(store): p.read_bytes() for p in store.rglob("*.parquet")}


def check_options(line):
    """Parse a command without running it, because it needs the network."""
    program, name, *arguments = shlex.split(line)
    assert program == "advisor"
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, arguments)


@pytest.fixture
def copy(tmp_path):
    """A copy of the project."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run_in_copy(line, copy):
    """Run one line of a shell with the commands of this environment and the code of the copy."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(copy), "XDG_DATA_HOME": str(copy / ".home")}
    process = subprocess.run(STAND_INS.get(line, line), shell=True, cwd=copy, env=env, capture_output=True, text=True,
                             check=False)  # fmt: skip
    assert process.returncode == 0, f"{line}\n{process.stdout[-3000:]}{process.stderr[-3000:]}"
    return process.stdout


def follow(page, copy):
    """Carry out the blocks of a page in the copy, and return what its commands print."""
    outputs = []
    for language, attributes, text in blocks(page):
        action, _, name = attributes.partition("=")
        if action == "file":
            assert not (copy / name).exists(), f"{name} exists"
            (copy / name).write_text(text)
        elif action == "append":
            separator = "\n\n" if language == "python" else "\n"
            (copy / name).write_text(f"{(copy / name).read_text()}{separator}{text}")
        elif language == "diff":
            command = ["git", "apply", "-"]
            subprocess.run(command, cwd=copy, input=text, text=True, check=True)
        elif language == "sh":
            outputs += [run_in_copy(line, copy) for line in text.splitlines()]
    return "\n".join(outputs)


def read_files(copy):
    """Return path → content of everything that a person writes; pages and answers that a command writes are left out."""
    generated = ("docs/reference/", "data/snapshots/", "data/snapshot_digests.json", "build/", ".")
    files = {
        str(p.relative_to(copy)): p for p in copy.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    return {name: p.read_bytes() for name, p in files.items() if not name.startswith(generated)}


def read_contributing():
    """Return page → the paths that CONTRIBUTING says one touches for it."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(
        r"^\| add [^|]+\|([^|]+)\| \[[^]]+\]\(docs/how-to/([\w-]+)\.md\) \|$", text, re.MULTILINE
    )
    return {page: re.findall(r"`([^`]+)`", cell) for cell, page in rows}


def test_each_kind_of_addition_has_a_page():
    assert set(ADD_PAGES) == set(read_contributing())
    assert len(ADD_PAGES) == 7


@pytest.mark.parametrize(("page", "texts"), [
    ("add-a-metric", ["passed"]),
    ("add-a-rule", ["1 passed", "there was no release for "]),
    ("add-a-domain", ["Recommendation: ", "passed"]),
    ("add-a-source", ["passed"]),
    ("add-a-stack", ["peft_loop", "2 passed"]),
    ("add-a-format", ["passed", "Success: no issues", f"= Recommendation: {recommend().choice}"]),
    ("add-a-chart", ["passed"]),
])  # fmt: skip
def test_following_a_page_touches_what_contributing_says_and_no_more(page, texts, copy):
    before = read_files(copy)
    output = follow(ADD_PAGES[page], copy)
    assert [text for text in texts if text not in output] == []
    assert "failed" not in output
    after = read_files(copy)
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    paths = read_contributing()[page]
    assert [name for name in changed if not name.startswith((*paths, "tests/"))] == []
    assert [path for path in paths if not any(name.startswith(path) for name in changed)] == []
    if modules := [name for name in changed if name.endswith(".py")]:
        run_in_copy(f"ruff check {' '.join(modules)}", copy)
