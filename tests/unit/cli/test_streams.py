"""Standard output in any encoding, closed, or full; and no traceback for an error of advisor itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor import __version__, recommend
from advisor.cli import COMMANDS
from advisor.files import expand_home, home_folder

REPORTS = (
    ["rank"],
    ["explain", "trl"],
    ["compare", "trl", "unsloth"],
    ["methods"],
    *(["schema", report] for report in ("recommendation", "dependencies")),
    ["domains"],
    ["goals"],
    ["config"],
    ["coverage"],
    ["recipes", "--model", "Qwen/Qwen3-0.6B"],
    *([command, "--help"] for command in COMMANDS),
)
EVERY_REPORT = f"""
import sys
from advisor.cli import main

for words in {REPORTS!r}:
    sys.argv = ["advisor", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""


def run(*command: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command], stderr=subprocess.PIPE, timeout=600, check=False, **options
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
def test_every_report_fits_every_encoding(encoding: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    with report.open("wb") as stdout:
        done = run("-c", EVERY_REPORT, stdout=stdout, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"")
    text = report.read_bytes().decode(encoding)
    answer = recommend()
    assert f"Recommendation: {answer.choice}" in text
    first = answer.ranking[0]
    assert encoding != "ascii" or f"{first.low:.0f}-{first.high:.0f}" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [["rank"], ["--version"], ["rank", "--help"], ["schema"]], ids=" ".join)
def test_a_full_disk_is_one_message(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as stdout:
        done = run("-m", "advisor", *words, stdout=stdout)
    assert done.returncode == 1
    assert done.stderr == b"advisor: cannot write the report: standard output says: no space left on device\n"


def test_a_closed_standard_output_is_one_message() -> None:
    done = run("-m", "advisor", "rank", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (
        1,
        b"advisor: cannot write the report: standard output is closed\n",
    )


def test_messages_do_not_move_into_the_report_when_standard_error_is_closed() -> None:
    script = f'exec 2>&-; exec "{sys.executable}" -m advisor rank --goal nothing'
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    script = f'"{sys.executable}" -m advisor schema | head -1'
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=600, check=False)
    assert (done.stdout, done.stderr) == (b"{\n", b"")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        ("ZeroDivisionError('a' + chr(10) + 'b')", 1, "advisor: internal error: ZeroDivisionError: a ("),
        (
            "OSError(13, 'Permission denied', '/srv/facts')",
            1,
            "advisor: /srv/facts cannot be written: Permission denied; choose another folder, or change its permissions\n",
        ),
        (
            "__import__('duckdb').InterruptException('INTERRUPT Error: Interrupted!')",
            130,
            "advisor: interrupted\n",
        ),
    ],
)
def test_any_other_error_is_one_line(raised: str, code: int, message: str) -> None:
    script = (
        f"import advisor.cli\ndef fail():\n    raise {raised}\nadvisor.cli._run = fail\nadvisor.cli.main()"
    )
    done = run("-c", script, "schema", stdout=subprocess.DEVNULL)
    assert done.returncode == code
    assert done.stderr.decode().startswith(message)
    assert done.stderr.count(b"\n") == 1
    shown = run(
        "-c", script, "schema", stdout=subprocess.DEVNULL, env={**os.environ, "ADVISOR_TRACEBACK": "1"}
    )
    assert b"Traceback" in shown.stderr


def test_ctrl_c_while_the_command_is_loaded_is_one_line() -> None:
    script = (
        "import os, signal\nimport advisor.cli\n"
        "advisor.cli.load = lambda _: os.kill(os.getpid(), signal.SIGINT)\nadvisor.cli.main()"
    )
    done = run("-c", script, "rank", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"\nadvisor: interrupted\n")


def test_a_user_without_a_home_folder_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    without_home = """
import os, pwd
def fail(_): raise KeyError("uid not found")
pwd.getpwuid = fail
del os.environ["HOME"]
from advisor.cli import main
main()
"""
    done = run("-c", without_home, "rank", stdout=subprocess.DEVNULL)
    assert (done.returncode, b"internal error" in done.stderr) == (0, False), done.stderr
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.delenv("HOME")
    assert home_folder() == Path("/")
    assert expand_home("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")


def test_the_version_and_the_short_help() -> None:
    assert (
        run("-m", "advisor", "--version", stdout=subprocess.PIPE).stdout.decode()
        == f"advisor {__version__}\n"
    )
    assert run("-m", "advisor", "rank", "-h", stdout=subprocess.PIPE).stdout.startswith(
        b"Usage: python -m advisor rank"
    )


@pytest.mark.parametrize(
    "words", [["train", "--data", "ROWS", "--model", "x"], ["dashboard", "--plan", "absent.toml"]]
)
def test_an_error_under_a_bar_has_no_empty_line_before_it(words: list[str], tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a", "completion": "b"}\n')
    command = [str(rows) if word == "ROWS" else word for word in words]
    done = run("-m", "advisor", *command, stdout=subprocess.PIPE)
    lines = done.stderr.decode().splitlines()
    assert done.returncode != 0
    assert lines[-1].startswith("advisor: ")
    assert all(line.strip() for line in lines)
