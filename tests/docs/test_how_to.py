"""The examples of the how-to pages are run: what stands in a page works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from bare_environment import bare_environment

from advisor.cli import app, load

load(None)

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("rank-your-dependencies", "a-domain-of-your-own", "collect-many")
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page):
    return BLOCK.findall((ROOT / "docs" / "how-to" / f"{page}.md").read_text())


@pytest.fixture
def place(tmp_path):
    """A folder with `advisor` on the path and two small histories in mirror/."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "advisor"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m advisor "$@"\n')
    script.chmod(0o755)
    who = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@shipyard.org", "GIT_COMMITTER_NAME": "Ada",
           "GIT_COMMITTER_EMAIL": "ada@shipyard.org", "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip
    for name in ("lib", "tool"):
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True)
        for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
            subprocess.run(["git", "-C", folder, *command], env={**os.environ, **who}, check=True)
    return tmp_path


def run(text, place):
    env = bare_environment(HOME=str(place), XDG_DATA_HOME=str(place / "data"))
    env["PATH"] = f"{place / 'bin'}:{env['PATH']}"
    return subprocess.run(
        ["sh", "-ec", text], cwd=place, env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_page_runs(page, place):
    found = blocks(page)
    assert [kind for kind, _, _ in found].count("sh") >= 3
    for kind, more, text in found:
        if kind == "text":
            (place / more).write_text(text)
        elif kind == "sh" and more == "network":
            for line in text.splitlines():
                its_options_exist(line)
        elif kind == "sh":
            done = run(text, place)
            assert done.returncode == int(more.partition("exit=")[2] or 0), text + done.stderr
        elif kind == "yaml":
            steps = yaml.safe_load(text)["jobs"]["health"]["steps"]
            lines = [step["run"] for step in steps if "advisor rank" in step.get("run", "")]
            assert len(lines) == 2
            assert [run(line, place).returncode for line in lines] == [0, 4]
            assert "torchtune" in (place / "summary.md").read_text()
    if page == "collect-many":
        whole, together = (tables(place / name) for name in ("whole", "together"))
        assert whole and together == whole


def tables(store):
    return {p.relative_to(store): p.read_bytes() for p in store.rglob("*.parquet")}


def its_options_exist(line):
    """The command is parsed and not run: it would reach out."""
    program, name, *arguments = shlex.split(line)
    assert program == "advisor"
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, arguments)
