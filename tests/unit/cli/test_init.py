"""advisor init: from options and from a dialogue on a real terminal; `rank` then answers."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import tomllib

import pytest
from small_world import NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.domain.domain import load_domain
from advisor.domain.draft import CRITERIA
from advisor.errors import AdvisorError

load(None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*args):
    result = CliRunner().invoke(app, ["init", *args])
    if isinstance(result.exception, AdvisorError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_options_write_a_domain_that_ranks(here):
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
    weights = {"contributors": 1.0, "issues": 1.0, "backing": 1.0, "activity": 3.0}
    assert domain.goals["balanced"].weights == weights, "a weight changes one criterion and leaves the others"
    assert "advisor collect --domain ./http-clients.toml" in text
    early = CliRunner().invoke(app, ["rank", "--domain", "./http-clients.toml"]).exception
    assert isinstance(early, AdvisorError) and "run `advisor collect --domain ./http-clients.toml`" in str(
        early
    )
    fill(here / "store", rows())
    result = CliRunner().invoke(app, ["rank", "--domain", "http-clients.toml", "--store", "store"])
    assert result.exit_code == 0 and all(n.split("/")[1] in result.output for n in NAMES)


def test_bundled_candidates_need_no_collecting(here):
    code, text = init("micro", "--candidate", "pallets/flask=flask", "--candidate", "bottlepy/bottle=bottle")
    assert code == 0 and "collect" not in text
    result = CliRunner().invoke(app, ["rank", "--domain", "micro.toml"])
    assert result.exit_code == 0 and "Recommendation: " in result.output


def test_a_candidate_may_have_the_name_that_rank_knows(here):
    code, text = init(
        "micro", "--candidate", "flask", "--candidate", "TRL", "--candidate", "bottlepy/bottle=bottle"
    )
    assert code == 0, text
    candidates = tomllib.loads((here / "micro.toml").read_text())["candidates"]
    assert [(c["repository"], c["package"]) for c in candidates] == [
        ("pallets/flask", "flask"), ("huggingface/trl", "trl"), ("bottlepy/bottle", "bottle"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Bad Name", "--candidate", "a/b"], "lower-case letters, digits and hyphens, for example bad-name"),
        (["!!", "--candidate", "a/b"], "use lower-case letters, digits and hyphens"),
        (["mine", "--candidate", "unslot"], "unknown library 'unslot'"),
        (["mine", "--candidate", "unslot"], "did you mean unsloth?"),
        (
            ["mine", "--candidate", "trl", "--candidate", "huggingface/TRL"],
            "duplicate candidate huggingface/TRL",
        ),
        (["finetuning", "--candidate", "a/b"], "there is a bundled domain finetuning"),
        (["mine", "--candidate", "a/b/c"], "expected owner/name"),
        (["mine", "--candidate", "a/b", "--default", "c/d"], "default 'c/d' is not one of the candidates"),
        (
            ["mine", "--candidate", "a/b", "--weight", "fame=1"],
            "mine.toml: unknown criterion 'fame'; known: activity",
        ),
        (
            ["mine", "--candidate", "a/b", *(f"--weight={c}=0" for c in CRITERIA)],
            "at least one weight must be greater than 0",
        ),
        (
            ["mine", "--candidate", "a/b", "--weight", "activity=abc"],
            "invalid weight 'activity=abc' in --weight: expected CRITERION=WEIGHT",
        ),
        (["mine", "--candidate", "a/b", "--weight", "activity=1e308"], "from 0.000001 to 1,000,000"),
        (["mine", "--candidate", "a/b", "--candidate", "A/B"], "duplicate candidate A/B"),
        (["mine", "--candidate", "a/b", "--title", ""], "empty value for --title"),
        (["mine", "--candidate", "a/b", "-o", "mine.txt"], "a domain file ends in .toml"),
        (["mine"], "missing option --candidate"),
    ],
)
def test_a_wrong_argument_gives_an_error_and_writes_nothing(here, arguments, message):
    code, text = init(*arguments)
    assert code == 2 and message in text
    assert not list(here.iterdir())


def test_only_force_overwrites_a_file(here):
    (here / "mine.toml").write_text("precious")
    assert "--force" in init("mine", "--candidate", "a/b")[1]
    assert (here / "mine.toml").read_text() == "precious"
    assert init("mine", "--candidate", "a/b", "--force")[0] == 0


def converse(folder, command, answers):
    """Run a command on its own terminal; type each answer after its question."""
    our_end, their_end = pty.openpty()

    def use_own_terminal():  # so that Ctrl-C reaches only this process
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    env = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=folder, stdin=their_end, stdout=their_end, stderr=their_end, env=env,
                               preexec_fn=use_own_terminal)  # fmt: skip # noqa: PLW1509 - no thread of ours runs
    os.close(their_end)
    output = ""

    def read_until(question):
        nonlocal output
        new_output = ""
        while question is None or not re.search(question, new_output):
            assert select.select([our_end], [], [], 300)[0], f"no {question!r} in {output!r}"
            try:
                part = os.read(our_end, 4096).decode()
            except OSError:  # the other end is closed
                part = ""
            assert part or question is None, f"no {question!r} in {output!r}"
            if not part:
                return
            new_output, output = new_output + part, output + part

    try:
        for question, answer in answers:
            read_until(question)
            os.write(our_end, answer.encode())
        read_until(None)
        return process.wait(300), output
    finally:
        process.kill()
        process.wait()
        os.close(our_end)


def test_the_dialogue_writes_a_domain(here):
    code, output = converse(here, [sys.executable, "-m", "advisor", "init", "micro"], [
        (r"Title \[Micro\]: $", "Small web frameworks\n"),
        (r"Question \[.*\]: $", "\n"),
        (r"Candidate 1: $", "nonsense\n"),
        (r"expected owner/name(.|\n)*Candidate 1: $", "pallets/flask flask\n"),
        (r"Candidate 2: $", "https://github.com/bottlepy/bottle\n"),
        (r"Candidate 3: $", "\n"),
        (r"Default candidate in a tie.*: $", "django\n"),
        (r"is not one of(.|\n)*Default.*: $", "flask\n"),
        (r"Reason for the default \[.*\]: $", "it is there\n"),
        (r"Activity \(activity\) \[1.0\]: $", "3\n"),
        (r"Adoption \(adoption\) \[0.0\]: $", "\n"),
        (r"\(backing\) \[1.0\]: $", "-1\n"),
        (r"expected a number ≥ 0(.|\n)*\(backing\) \[1.0\]: $", "2\n"),
        (r"\(contributors\) \[1.0\]: $", "\n"),
        (r"\(documentation\) \[0.0\]: $", "\n"),
        (r"\(issues\) \[1.0\]: $", "0\n"),
        (r"\(memory\) \[0.0\]: $", "\n"),
        (r"\(models\) \[0.0\]: $", "\n"),
        (r"\(momentum\) \[0.0\]: $", "\n"),
        (r"\(outlook\) \[0.0\]: $", "\n"),
        (r"\(security\) \[0.0\]: $", "\n"),
        (r"\(speed\) \[0.0\]: $", "\n"),
        (r"\(stability\) \[0.0\]: $", "\n"),
        (r"\(weight\) \[0.0\]: $", "\n"),
    ])  # fmt: skip
    assert code == 0, output
    domain = load_domain(str(here / "micro.toml"))
    assert domain.question == "Which of the small web frameworks should I build on?"
    assert (domain.default, domain.default_reason, domain.snapshot) == (
        "pallets/flask",
        "it is there",
        "web-frameworks",
    )
    assert domain.goals["balanced"].weights == {"activity": 3.0, "backing": 2.0, "contributors": 1.0}
    assert [c.package for c in domain.candidates] == ["flask", None]


def test_end_of_input_aborts_and_is_not_an_interrupt(here):
    code, output = converse(
        here, [sys.executable, "-m", "advisor", "init", "micro"], [(r"Title.*: $", "\x04")]
    )
    assert code == 1 and output.endswith("Aborted!\r\n"), output
    assert not list(here.iterdir())


def test_ctrl_c_writes_nothing(here):
    code, output = converse(
        here, [sys.executable, "-m", "advisor", "init", "micro"], [(r"Title.*: $", "\x03\n")]
    )
    assert (code, output.splitlines()[-1]) == (130, "advisor: interrupted")
    assert not list(here.iterdir())
