"""advisor init: by flags and by a dialogue on a real terminal; then the domain answers."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios

import pytest
from small_world import NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.domain.domain import load_domain
from advisor.errors import AdvisorError

load(None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*args):
    done = CliRunner().invoke(app, ["init", *args])
    return (
        (2, str(done.exception))
        if isinstance(done.exception, AdvisorError)
        else (done.exit_code, done.output)
    )


def test_by_flags_and_then_rank(here):
    code, text = init("http-clients", "--candidate", "mid/steady=steady", "--candidate", "small/fading", "--candidate",
                      "huggingface/lively", "--default", "mid/steady", "--weight", "activity=3", "--weight", "backing=1",
                      "--title", 'Clients "of" HTTP\\')  # fmt: skip
    assert code == 0, text
    domain = load_domain("http-clients.toml")
    assert (domain.title, domain.snapshot, domain.default) == (
        'Clients "of" HTTP\\',
        "http-clients",
        "mid/steady",
    )
    assert [(c.repository, c.package, c.backer) for c in domain.candidates] == [
        ("mid/steady", "steady", None), ("small/fading", None, None), ("huggingface/lively", None, "huggingface"),
    ]  # fmt: skip
    assert domain.goals["balanced"].weights == {"activity": 3.0, "backing": 1.0}
    assert "advisor collect --domain ./http-clients.toml" in text
    early = CliRunner().invoke(app, ["rank", "--domain", "./http-clients.toml"]).exception
    assert isinstance(early, AdvisorError) and "run `advisor collect --domain ./http-clients.toml`" in str(
        early
    )
    fill(here / "store", rows())
    done = CliRunner().invoke(app, ["rank", "--domain", "http-clients.toml", "--store", "store"])
    assert done.exit_code == 0 and all(n.split("/")[1] in done.output for n in NAMES)


def test_candidates_that_came_along_need_no_collecting(here):
    code, text = init("micro", "--candidate", "pallets/flask=flask", "--candidate", "bottlepy/bottle=bottle")
    assert code == 0 and "collect" not in text
    done = CliRunner().invoke(app, ["rank", "--domain", "micro.toml"])
    assert done.exit_code == 0 and "Recommendation: " in done.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["Bad Name", "--candidate", "a/b"], "no name for a domain"),
        (["finetuning", "--candidate", "a/b"], "there is a domain finetuning already"),
        (["mine", "--candidate", "nonsense"], "write it as owner/name"),
        (["mine", "--candidate", "a/b", "--default", "c/d"], "default 'c/d' is not one of the candidates"),
        (["mine", "--candidate", "a/b", "--weight", "fame=1"], "there is no 'fame'; known: activity"),
        (["mine", "--candidate", "a/b", "--weight", "activity=0"], "at least one weight must be above 0"),
        (["mine", "--candidate", "a/b", "-o", "mine.txt"], "ends in .toml"),
        (["mine"], "name the candidates with --candidate"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(here, arguments, why):
    code, text = init(*arguments)
    assert code == 2 and why in text
    assert not list(here.iterdir())


def test_nothing_is_overwritten_unless_told(here):
    (here / "mine.toml").write_text("precious")
    assert "--force" in init("mine", "--candidate", "a/b")[1]
    assert (here / "mine.toml").read_text() == "precious"
    assert init("mine", "--candidate", "a/b", "--force")[0] == 0


def converse(folder, command, answers):
    """Run a command on a terminal of its own; give each answer once its question is there."""
    ours, theirs = pty.openpty()

    def on_its_own_terminal():  # so that Ctrl-C reaches it, and nobody else
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    env = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=env,
                               preexec_fn=on_its_own_terminal)  # fmt: skip # noqa: PLW1509 - no thread of ours runs
    os.close(theirs)
    said = ""

    def read_until(question):
        nonlocal said
        seen = ""
        while question is None or not re.search(question, seen):
            assert select.select([ours], [], [], 30)[0], f"no {question!r} in {said!r}"
            try:
                part = os.read(ours, 4096).decode()
            except OSError:  # the other end is closed
                part = ""
            assert part or question is None, f"no {question!r} in {said!r}"
            if not part:
                return
            seen, said = seen + part, said + part

    try:
        for question, answer in answers:
            read_until(question)
            os.write(ours, answer.encode())
        read_until(None)
        return process.wait(30), said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_the_dialogue_on_a_terminal(here):
    code, said = converse(here, [sys.executable, "-m", "advisor", "init", "micro"], [
        (r"Title \[Micro\]: $", "Small web frameworks\n"),
        (r"Question \[.*\]: $", "\n"),
        (r"Candidate 1: $", "nonsense\n"),
        (r"write it as owner/name(.|\n)*Candidate 1: $", "pallets/flask flask\n"),
        (r"Candidate 2: $", "https://github.com/bottlepy/bottle\n"),
        (r"Candidate 3: $", "\n"),
        (r"Default, which stays in a tie.*: $", "django\n"),
        (r"is not one of(.|\n)*Default.*: $", "flask\n"),
        (r"Why that one \[.*\]: $", "it is there\n"),
        (r"Activity \(activity\) \[1.0\]: $", "3\n"),
        (r"Adoption \(adoption\) \[0.0\]: $", "\n"),
        (r"\(backing\) \[1.0\]: $", "-1\n"),
        (r"a weight is 0 or more(.|\n)*\(backing\) \[1.0\]: $", "2\n"),
        (r"\(contributors\) \[1.0\]: $", "\n"),
        (r"\(issues\) \[1.0\]: $", "0\n"),
        (r"\(memory\) \[0.0\]: $", "\n"),
        (r"\(models\) \[0.0\]: $", "\n"),
        (r"\(speed\) \[0.0\]: $", "\n"),
    ])  # fmt: skip
    assert code == 0, said
    domain = load_domain(str(here / "micro.toml"))
    assert domain.question == "Which of the small web frameworks should I build on?"
    assert (domain.default, domain.default_reason, domain.snapshot) == (
        "pallets/flask",
        "it is there",
        "web-frameworks",
    )
    assert domain.goals["balanced"].weights == {"activity": 3.0, "backing": 2.0, "contributors": 1.0}
    assert [c.package for c in domain.candidates] == ["flask", None]


def test_the_end_of_the_answers_is_no_interrupt(here):
    code, said = converse(here, [sys.executable, "-m", "advisor", "init", "micro"], [(r"Title.*: $", "\x04")])
    assert code == 1 and said.endswith("Aborted!\r\n"), said
    assert not list(here.iterdir())


def test_ctrl_c_writes_nothing(here):
    code, said = converse(
        here, [sys.executable, "-m", "advisor", "init", "micro"], [(r"Title.*: $", "\x03\n")]
    )
    assert (code, said.splitlines()[-1]) == (130, "advisor: interrupted")
    assert not list(here.iterdir())
