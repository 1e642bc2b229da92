"""Wrong values for every option and argument of every command, generated from the command tree.

None of them may end in a traceback, name a code of the system, or leave the documented exit codes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from advisor.cli import app, load, main

EXIT_CODES = {0, 1, 2, 3, 4}
# What a command needs besides the wrong value to come to the point where it reads it.
NEEDED_WORDS = {
    "explain": ["trl"],
    "compare": ["trl", "unsloth"],
    "dashboard": ["--months", "0"],
    "init": ["mine", "--candidate", "a/b"],
    "collect": ["o/n"],
    "backtest": ["--panel", "none.parquet"],
    "plan": ["--model", "none"],
    "preview": ["--model", "none"],
    "train": ["--model", "none"],
    "bench": ["--model", "none"],
    "runs": ["none"],
}
# Only these: a folder of facts may be new.
FILE_NAMES = re.compile(r"FILE|PATH")
OUTPUTS = {"output", "png", "card", "badge", "predict", "html"}
LOGS = {"json_log", "record"}  # of a collection, which the network or its recording must begin


def leaves(command, words=()):
    """Yield the words and the object of each command that is no group."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*words, name))
    if not hasattr(command, "commands"):
        yield words, command


load(None)
TREE = typer.main.get_command(app)
LEAVES = dict(leaves(TREE))
PARAMETERS = [
    (words, parameter)
    for words, command in LEAVES.items()
    for parameter in command.params
    if not getattr(parameter, "is_flag", False) and parameter.name != "help"
]


def write(parameter, value):
    """Return the words that give a parameter a value."""
    if parameter.param_type_name == "option":
        return [max(parameter.opts, key=len), value]
    return [value]


def run(capsys, monkeypatch, *words):
    """Run a command in this process; return its exit code and its messages."""
    monkeypatch.setattr(sys, "argv", ["advisor", *words])
    monkeypatch.setattr("advisor.cli.app", TREE)  # built once
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    else:
        code = 0
    messages = capsys.readouterr().err
    assert code in EXIT_CODES, (words, code, messages)
    for phrase in ("Traceback", "internal error", "Errno", "codec", "/.draft", "/tmp/tmp"):
        assert phrase not in messages, (words, messages)
    return code, messages


def test_the_matrix_has_every_command():
    assert len(LEAVES) > 30
    assert len(PARAMETERS) > 150


def test_an_empty_value_is_refused_everywhere(capsys, monkeypatch):
    for words, parameter in PARAMETERS:
        for empty in ("", " "):
            code, messages = run(capsys, monkeypatch, *words, *write(parameter, empty))
            assert code == 2, (words, parameter.name)
            assert messages.startswith("advisor: empty value for "), messages


def test_a_value_of_a_wrong_type_is_refused(capsys, monkeypatch):
    typed = [
        (words, p)
        for words, p in PARAMETERS
        if hasattr(p.type, "choices") or p.type.name in {"int", "float", "int range", "float range"}
    ]
    assert len(typed) > 20
    for words, parameter in typed:
        needed_words = NEEDED_WORDS.get(words[0], [])
        code, messages = run(capsys, monkeypatch, *words, *needed_words, *write(parameter, "nonsense"))
        assert code == 2, (words, parameter.name)
        assert "Invalid value" in messages and "nonsense" in messages


@pytest.mark.parametrize("kind", ["missing", "folder", "endless link", "no text", "huge", "device"])
def test_a_file_that_cannot_be_read_is_one_message(capsys, monkeypatch, tmp_path, kind):
    monkeypatch.chdir(tmp_path)
    value = "wrong.toml"
    path = Path(value)
    match kind:
        case "folder":
            path.mkdir()
        case "endless link":
            path.symlink_to(value)
        case "no text":
            path.write_bytes(b"\xff\xfe\x00 = [")
        case "huge":
            with path.open("wb") as file:
                file.truncate(2**27)
        case "device":
            path.symlink_to("/dev/zero")
    files = [
        (words, p)
        for words, p in PARAMETERS
        if FILE_NAMES.search(str(p.metavar)) and p.name not in OUTPUTS | LOGS
    ]
    assert len(files) > 15
    for words, parameter in files:
        needed_words = NEEDED_WORDS.get(words[0], [])
        code, messages = run(capsys, monkeypatch, *words, *needed_words, *write(parameter, value))
        assert code in {1, 2}, (words, parameter.name, code, messages)
        assert [line for line in messages.splitlines() if line.startswith(("advisor: ", "Error: "))], messages


@pytest.mark.parametrize("option", ["--domain", "--store", "--rules"])
@pytest.mark.parametrize("value", ["missing", "a-file", "folder", "no-text.toml", "endless"])
def test_no_kind_of_wrong_facts_domain_or_rules_is_a_traceback(capsys, monkeypatch, tmp_path, option, value):
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("text")
    Path("folder").mkdir()
    Path("no-text.toml").write_bytes(b"\xff")
    Path("endless").symlink_to("endless")
    for command in ("rank", "explain", "compare", "coverage"):
        if option == "--rules" and command == "coverage":
            continue
        needed_words = NEEDED_WORDS.get(command, [])
        code, messages = run(capsys, monkeypatch, command, *needed_words, option, value)
        assert code == 2, (command, messages)
        assert messages.startswith("advisor: ") and value in messages and messages.count("\n") == 1


def test_an_output_that_no_file_can_have_is_refused_before_the_work(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("folder.toml").mkdir()
    Path("a-file").write_text("text")
    outputs = [(words, p) for words, p in PARAMETERS if p.name in OUTPUTS and p.metavar == "FILE"]
    assert len(outputs) > 10
    for words, parameter in outputs:
        for value in ("folder.toml", "a-file/below.toml"):
            needed_words = NEEDED_WORDS.get(words[0], [])
            code, messages = run(capsys, monkeypatch, *words, *needed_words, *write(parameter, value))
            assert code == 2 and value in messages, (words, messages)


FULL_DISK = """
import contextlib, io, os, sys
from advisor.cli import COMMANDS, main
log = os.dup(2)
for word in COMMANDS:
    for target in ("/dev/full", None):
        sys.argv = ["advisor", word, "--help"]
        read, write = os.pipe()
        os.close(read)
        os.dup2(os.open(target, os.O_WRONLY) if target else write, 1)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), io.StringIO()
        code = None
        try:
            main()
        except SystemExit as end:
            code = end.code
        expected = "advisor: cannot write the report: standard output says: no space left on device\\n" if target else ""
        if (code, sys.stderr.getvalue()) != (1, expected):
            os.write(log, f"{word} {target}: {code} {sys.stderr.getvalue()}".encode())
            os._exit(9)
"""


@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="only Linux has a device that is always full"
)
def test_a_full_disk_and_a_closed_pipe_are_no_traceback_for_any_command():
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], capture_output=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stderr) == (0, b"")
