"""The sample output in the README is what the program prints."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_the_sample_output_is_what_rank_prints():
    readme = (ROOT / "README.md").read_text()
    sample = re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1]
    output = subprocess.run(
        [sys.executable, "-m", "advisor", "rank"], capture_output=True, text=True, check=True
    ).stdout
    assert len(sample.splitlines()) > 10
    assert output.startswith(sample)


def test_the_readme_names_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make rank" in readme and "make test" in readme


# They need a network, a GPU's time, an answer or a file that the reader has; their own tests run them.
ELSEWHERE = {"collect", "collect-docs", "init", "measure", "backtest", "train", "bench", "mcp", "upgrade"}
PLACEHOLDERS = re.compile(r"\b(FILE|MODEL|NAME)\b|run\.toml|mine\.jsonl|--all$|^recipes")


def list_commands():
    """Yield the command lines of the README's table; an option alone belongs to the command before it."""
    for line in (ROOT / "README.md").read_text().splitlines():
        command = ""
        for code in re.findall(r"`([^`]+)`", line.partition(" | ")[2] if line.startswith("| ") else ""):
            if code.startswith("advisor "):
                command = code.removeprefix("advisor ")
            elif not (code.startswith("--") and command):
                continue
            words = command if code.startswith("advisor ") else f"{command.split()[0]} {code}"
            if words.split()[0] not in ELSEWHERE and not PLACEHOLDERS.search(words):
                yield words


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The folder of a fresh clone."""
    folder = tmp_path_factory.mktemp("clone") / "advisor"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("words", list(list_commands()))
def test_each_line_of_the_table_works_as_typed(words, clone, tmp_path, monkeypatch, capsys):
    (tmp_path / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "argv", ["advisor", *shlex.split(words)])
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, None), capsys.readouterr().err
    assert capsys.readouterr().out.strip()


def test_the_table_has_the_commands_that_are_typed_here():
    assert len(list(list_commands())) >= 18
