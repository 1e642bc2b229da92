"""What callers may rely on: the names, their types as two checkers see them, how a name goes."""

from __future__ import annotations

import doctest
import inspect
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import advisor

ROOT = Path(__file__).resolve().parents[2]
TYPING = ROOT / "tests" / "typing"
BIN = Path(sys.executable).parent
COMMENT = re.compile(r"  # type: ignore\[[^]]+\]")


def test_the_exported_names():
    """A name that goes from here or comes here is a change that callers see: it is in the changelog."""
    assert set(advisor.__all__) == {
        "AdvisorError", "CollectError", "ConfigError", "FactsError", "InputError", "NothingSuitable",
        "SnapshotMissing", "UnknownName", "rank", "recommend",
    }  # fmt: skip
    assert all(getattr(advisor, name).__doc__ for name in advisor.__all__)
    starred: dict[str, object] = {}
    exec("from advisor import *", starred)
    assert set(advisor.__all__) <= set(starred)


def test_rank_takes_what_recommend_takes():
    assert inspect.signature(advisor.rank).parameters == inspect.signature(advisor.recommend).parameters
    assert advisor.rank(repositories=["trl"]) == advisor.recommend(repositories=["trl"]).ranking


def test_the_examples_in_its_docstrings():
    found = doctest.testmod(advisor)
    assert found.attempted >= 3
    assert not found.failed


def test_the_typical_uses_run():
    assert runpy.run_path(str(TYPING / "uses.py"))["answer"].choice == "huggingface/trl"


def test_mypy_finds_each_mistake_and_nothing_else(tmp_path):
    """Without its comments every marked line is reported; with them nothing is (`make check`)."""
    marked = (TYPING / "mistakes.py").read_text()
    (tmp_path / "mistakes.py").write_text(COMMENT.sub("", marked))
    (tmp_path / "uses.py").write_text((TYPING / "uses.py").read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    command = [BIN / "mypy", "mistakes.py", "uses.py"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = [n for n, line in enumerate(marked.splitlines(), 1) if "# type:" in line]
    assert len(expected) > 5
    assert [int(n) for n in re.findall(r"mistakes\.py:(\d+): error", process.stdout)] == expected, process.stdout


def test_a_name_that_goes_says_so_while_it_still_works():
    going = runpy.run_path(str(TYPING / "mistakes.py"))["advise"]
    with pytest.warns(DeprecationWarning, match=r"use advisor\.recommend"):
        assert going("finetuning") == advisor.recommend().choice
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advisor.recommend()
