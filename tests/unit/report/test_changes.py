"""What changed between two days, of real answers and of answers made by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.model import Finding
from advisor.report.changes import list_changes


@pytest.fixture(scope="module")
def now():
    return recommend(read_request(Request()))


@pytest.fixture(scope="module")
def before():
    return recommend(read_request(Request(as_of=date(2026, 1, 31))))


def test_equal_answers_have_no_change(now):
    assert list_changes(now, now) == ["the choice is still unsloth (a clear choice)"]


def test_real_answers_of_two_days(before, now):
    first, *others = list_changes(before, now)
    assert first.startswith("the choice ")
    assert any(text.startswith("torchtune: new exclusion: its own README declares it") for text in others)
    [place] = [text for text in others if text.startswith("torchtune: ") and ", now excluded" in text]
    old = next(r for r in before.ranking if r.candidate.name == "torchtune")
    assert place.startswith(f"torchtune: rank {old.rank} with {old.score:.0f} points, now excluded")


def test_each_kind_of_change(now):
    first, second, *rest = now.ranking
    warning = Finding("new-rule", "warn", "It is late.")
    old = replace(
        now,
        choice=second.repository,
        certainty="tie",
        default=second.repository,
        ranking=(replace(second, rank=1), replace(first, rank=2, score=first.score - 9)),
    )
    new = replace(now, ranking=(replace(first, findings=(warning,)), second, *rest))
    changes = list_changes(old, new)
    assert changes[0] == (
        "the choice was trl (a tie, decided by the default) and is now unsloth (a clear choice)"
    )
    assert f"unsloth: rank 2 with {first.score - 9:.0f} points, now rank 1 with {first.score:.0f} points" in changes  # fmt: skip
    assert "unsloth: new warning: It is late." in changes
    assert "axolotl is new" in changes


def rank(*words):
    command = [sys.executable, "-m", "advisor", "rank", "--store", "bundled", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_shows_the_changes_after_the_ranking(before, now):
    process = rank("--since", "2026-01-31")
    assert (process.returncode, process.stderr) == (0, "")
    section = process.stdout.partition("since 2026-01-31:\n")[2]
    assert [line.strip("- ") for line in section.splitlines()] == list_changes(before, now)


@pytest.mark.parametrize(("words", "message"), [
    (("--since", "2026-07-24"), "expected a day before 2026-07-24"),
    (("--since", "yesterday"), "yesterday"),
    (("--since", "2026-01-31", "--format", "json"), "--since cannot be combined"),
])  # fmt: skip
def test_a_wrong_day_is_an_input_error(words, message):
    process = rank(*words)
    assert process.returncode == 2 and message in process.stderr and process.stdout == ""
