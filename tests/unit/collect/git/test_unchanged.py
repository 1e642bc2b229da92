"""A history that has not changed costs four short git processes and few imports."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from repositories import Repo

LARGE = {"advisor.collect.git.tables", "advisor.domain.domain", "advisor.domain.identities", "duckdb"}


@pytest.fixture
def collect(tmp_path):
    """Return a function that collects a history and returns its git commands, imports and output."""
    log, git = tmp_path / "log", tmp_path / "bin" / "git"
    git.parent.mkdir()
    real = shlex.quote(shutil.which("git"))
    git.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {shlex.quote(str(log))}\nexec {real} "$@"\n')
    git.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{git.parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_DATA_HOME": str(tmp_path / "home"),
    }

    def run(repo, *options):
        log.write_text("")
        process = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "advisor", "collect", str(repo.path),
             "--name", "own/er", "--store", str(tmp_path / "store"), *options],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        commands = [re.sub(r"^--git-dir=\S+ ", "", line).split()[0] for line in log.read_text().splitlines()]
        modules = set(re.findall(r"^import time: .*\| +(\S+)$", process.stderr, re.MULTILINE))
        return commands, modules & LARGE, process.stderr

    return run


def test_an_unchanged_history_is_neither_read_nor_loads_what_reads_it(collect, tmp_path):
    repo = Repo(tmp_path / "clone")
    repo.commit("a.py", day="2024-01-01")
    commands, modules, _ = collect(repo)
    assert "log" in commands and "advisor.collect.git.tables" in modules, "the first run reads it"
    commands, modules, output = collect(repo)
    assert commands == ["config", "init", "rev-parse", "for-each-ref"]
    assert modules == set()
    assert "own/er: nothing new" in output


@pytest.mark.parametrize("change", ["a commit", "a tag", "the default branch", "a pattern"])
def test_each_change_is_read(collect, tmp_path, change):
    repo, options = Repo(tmp_path / "clone"), []
    repo.commit("a.py", day="2024-01-01")
    repo.git("branch", "other")
    repo.git("update-ref", "refs/remotes/origin/other", repo.git("commit-tree", "HEAD^{tree}", "-m", "x"))
    collect(repo)
    if change == "a commit":
        repo.commit("b.py", day="2024-01-02")
    elif change == "a tag":
        repo.git("tag", "v1.0.0")
    elif change == "the default branch":
        repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/other")
    else:
        domain = tmp_path / "mine.toml"
        pattern = '[[identities]]\nclass = "service"\npatterns = ["build farm"]\nsource = "our wiki"\n'
        domain.write_text(f'extends = "finetuning"\n{pattern}')
        options = ["--domain", str(domain)]
    commands, _, output = collect(repo, *options)
    assert "log" in commands
    assert "nothing new" not in output
    assert collect(repo, *options)[0].count("log") == 0, "and once only"


@pytest.mark.parametrize("content", [
    'candidates = ["trl"]', 'candidates = "trl"', "candidates = 5", "identities = 3", 'identities = ["a"]',
    'extends = "nosuch"', "extends = 3",
])  # fmt: skip
def test_a_wrong_domain_file_is_one_line_before_anything_is_read(collect, tmp_path, content):
    """Also if nothing is new, so that nothing else of the file is needed."""
    repo = Repo(tmp_path / "clone")
    repo.commit("a.py", day="2024-01-01")
    collect(repo)
    domain = tmp_path / "mine.toml"
    own = content if "extends" in content else f'extends = "finetuning"\n{content}'
    domain.write_text(f"{own}\n")
    with pytest.raises(subprocess.CalledProcessError) as error_info:
        collect(repo, "--domain", str(domain))
    lines = [line for line in error_info.value.stderr.splitlines() if not line.startswith("import time:")]
    assert len(lines) == 1 and "internal error" not in lines[0], lines
    assert error_info.value.returncode == 2
    assert "mine.toml: " in lines[0]
    assert not (tmp_path / "log").read_text(), "no git process was started"
