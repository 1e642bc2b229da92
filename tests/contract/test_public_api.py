"""The public API: its names, their types as a checker sees them, and how a name is deprecated."""

from __future__ import annotations

import doctest
import inspect
import re
import runpy
import subprocess
import sys
import warnings
from collections import abc
from os import PathLike
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import advisor
from advisor import api, model

ROOT = Path(__file__).resolve().parents[2]
TYPING = ROOT / "tests" / "typing"
BIN = Path(sys.executable).parent
COMMENT = re.compile(r"  # type: (ignore)\[[^]]+\]")


def test_rank_takes_what_recommend_takes():
    assert inspect.signature(advisor.rank).parameters == inspect.signature(advisor.recommend).parameters
    assert (
        advisor.rank(repositories=["trl"], goal="long-lived")
        == advisor.recommend(repositories=["trl"], goal="long-lived").ranking
    )


def test_the_exported_names():
    """A new or removed name is a change that callers see: the changelog mentions it."""
    assert set(advisor.__all__) == {
        "AdvisorError", "CollectError", "ConfigError", "FactsError", "InputError", "SnapshotMissing", "UnknownName",
        "Benchmark", "Candidate", "Comparison", "Contribution", "CriterionScore", "Evidence", "Explanation", "Finding",
        "Flip", "Measurement", "MetricScore", "Outlook", "Ranked", "Recommendation", "Requirements", "Rows",
        "ScoredCandidate", "rank", "recommend",
    }  # fmt: skip
    assert all(getattr(advisor, name).__doc__ for name in advisor.__all__)
    namespace: dict[str, object] = {}
    exec("from advisor import *", namespace)
    assert set(advisor.__all__) <= set(namespace)
    assert set(advisor.__all__) <= set(dir(advisor))
    with pytest.raises(AttributeError, match="recommand"):
        advisor.recommand  # noqa: B018 - the access is the test


def test_everything_that_recommend_takes_or_returns_is_exported():
    """Every class of `advisor` in the signature, in the fields of those classes, and so on."""
    names = {**vars(model), **vars(abc), **vars(api), "PathLike": PathLike}
    hints = get_type_hints(advisor.recommend, names)
    queue, seen = list(hints.values()), set()
    while queue:
        hint = queue.pop()
        queue += get_args(hint)
        if isinstance(hint, type) and hint.__module__.startswith("advisor") and hint not in seen:
            seen.add(hint)
            queue += get_type_hints(hint).values()
    assert len(seen) > 10
    assert all(getattr(advisor, c.__name__) is c for c in seen)


def test_import_advisor_is_light():
    code = "import advisor, sys; print(sorted(m for m in sys.modules if m.startswith('advisor')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['advisor', 'advisor.errors', 'advisor.version']"


def test_the_examples_in_its_docstrings():
    result = doctest.testmod(advisor)
    assert result.attempted >= 3
    assert not result.failed


def test_the_typical_uses_run():
    answer = runpy.run_path(str(TYPING / "uses.py"))["answer"]
    expected = advisor.recommend(as_of=answer.as_of, weights={"issues": 2})
    assert (answer.choice, answer.weights) == (expected.choice, expected.weights)
    assert answer.as_of < advisor.recommend().as_of


def test_mypy_finds_each_mistake_and_nothing_else(tmp_path):
    """Without the comments mypy reports every marked line; with them, none (`make check`)."""
    code = (TYPING / "mistakes.py").read_text()
    (tmp_path / "mistakes.py").write_text(COMMENT.sub("", code))
    (tmp_path / "uses.py").write_text((TYPING / "uses.py").read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    command = [BIN / "mypy", "mistakes.py", "uses.py"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = [n for n, line in enumerate(code.splitlines(), 1) if "# type:" in line]
    assert len(expected) > 5
    assert [int(n) for n in re.findall(r"mistakes\.py:(\d+): error", process.stdout)] == expected, (
        process.stdout
    )


def test_a_deprecated_name_works_and_warns():
    function = runpy.run_path(str(TYPING / "mistakes.py"))["old_recommend"]
    with pytest.warns(DeprecationWarning, match=r"use advisor\.recommend"):
        assert function("finetuning") == advisor.recommend().choice
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advisor.recommend()
