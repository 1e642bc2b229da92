"""A disk that takes no byte more: each command that writes ends with one message, and loses nothing.

The disk is full, or read-only, or the system limits the size of files. The list of commands is the registry
of the command line, so a new command must say here how it writes.
"""

from __future__ import annotations

import errno
import gzip
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import broken_disk
import duckdb
import pytest
import small_panel

from advisor.cli import COMMANDS
from advisor.errors import CannotWrite, InputError
from advisor.facts import writing
from advisor.write_errors import explain_exit, explain_write_error, report_write_errors

# Command → how it writes, and the file or folder that it names. All paths are in the folder of `inputs`.
WRITERS = {
    "dashboard": (["dashboard", "vaex", "--domain", "dataframes", "--months", "0", "-o", "r.html"], "r.html"),
    "backtest": (["backtest", "--panel", "panel.parquet", "--at", "2024-11-01", "--predict", "p.csv"], "p.csv"),
    "init": (["init", "micro", "--candidate", "own/lib", "-o", "micro.toml"], "micro.toml"),
    "collect": (["collect", "clone", "--git-only", "--store", "store"], ""),
    "collect --json-log": (["collect", "clone", "--git-only", "--store", "store", "--json-log", "log"], ""),
    "collect --repos": (["collect", "--repos", "list.txt", "--git-only", "--store", "store"], "store"),
    "collect --replay": (["collect", "own/lib", "--source", "pypi", "--replay", "none.jsonl", "--store", "store"], "store"),
    "replay-adoption": (["replay-adoption", "clone"], ""),
    "collect-support": (["collect-support", "clone", "--store", "store"], ""),
    "collect-docs": (["collect-docs", "clone", "--store", "store"], ""),
    "collect-stability": (["collect-stability", "clone", "--store", "store"], ""),
    "collect-weight": (["collect-weight", "own/lib=six", "--store", "store"], ""),
    "merge": (["merge", "other", "--store", "store"], "store"),
    "merge into a new store": (["merge", "other", "--store", "new"], "new"),
    "import-counts": (["import-counts", "counts.csv", "--store", "store"], ""),
    "import-gharchive": (["import-gharchive", "2025-03-01-15.json.gz", "--repos", "list.txt", "--store", "store"], ""),
    "import-support": (["import-support", "support.csv", "--store", "store"], ""),
    "compact": (["compact", "store"], "store"),
    "measure": (["measure", "store"], ""),
}  # fmt: skip
READERS = {
    "rank", "explain", "compare", "domains", "goals", "coverage", "schema", "methods", "inspect", "config", "mcp",
    "recipes", "upgrade",
}  # fmt: skip
# What the training half writes is in tests/train and in its own tests of full disks.
OF_TRAINING = {"plan", "preview", "train", "runs", "stacks", "bench", "probe", "bases"}


def test_every_command_says_whether_it_writes():
    assert {words.split()[0] for words in WRITERS} | READERS | OF_TRAINING == set(COMMANDS)
    assert READERS.isdisjoint(WRITERS) and OF_TRAINING.isdisjoint(WRITERS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The files that the commands read, and a store."""
    folder = tmp_path_factory.mktemp("inputs")
    run_git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", folder / "clone"]
    subprocess.run(["git", "init", "--quiet", folder / "clone"], check=True)
    (folder / "clone" / "README.md").write_text("A library.\n")
    for words in (["add", "."], ["commit", "--quiet", "--message", "Begin"],
                  ["remote", "add", "origin", "https://github.com/own/lib.git"]):  # fmt: skip
        subprocess.run([*run_git, *words], check=True)
    (folder / "list.txt").write_text("own/lib clone\n")
    (folder / "counts.csv").write_text(
        "date,repository,metric,value,source,definition\n2026-01-01,own/lib,stars,4,test,stars\n"
    )
    (folder / "support.csv").write_text(
        "repository,family,vendor,family_released_on,supported_on,known_until,evidence_path,evidence_commit,"
        "source\nown/lib,llama,meta,2024-01-01,2024-02-01,2024-06-01,x,abc,test\n"
    )
    (folder / "none.jsonl").write_text("")
    event = (
        '{"id":"1","type":"WatchEvent","actor":{"login":"x"},"created_at":"2025-03-01T15:00:00Z",'
        '"repo":{"id":1,"name":"own/lib"},"payload":{"action":"started"}}\n'
    )
    with gzip.open(folder / "2025-03-01-15.json.gz", "wt") as file:
        file.write(event)
    small_panel.write(folder / "panel.parquet", small_panel.rows())
    row = {"repository": "own/lib", "source": "test", "retrieved_at": "2026-01-02", "day": "2026-01-01"}
    writing.write_rows(folder / "store", "counts", "own/lib", [{**row, "metric": "stars", "value": 3.0}])
    writing.write_rows(folder / "store", "releases", "own/lib", [])
    other = {**row, "retrieved_at": "2026-01-03", "metric": "stars", "value": 5.0}
    writing.write_rows(folder / "other", "counts", "own/lib", [other])
    return folder


@pytest.mark.parametrize("fault", ["limit", "full", "read-only"])
def test_a_disk_that_takes_nothing_is_one_message_and_loses_nothing(inputs, tmp_path, fault):
    commands = {name: words for name, (words, _) in WRITERS.items()}
    results = broken_disk.start(fault, tmp_path, inputs, commands)
    if results is None:
        pytest.skip("this system lets no user mount a file system")
    causes = {"limit": errno.EFBIG, "full": errno.ENOSPC, "read-only": errno.EROFS}
    for name, result in results.items():
        *_, message = result["errors"].splitlines() or [""]
        assert result["code"] == CannotWrite.exit_code, (name, result)
        assert message.startswith("advisor: ") and "Traceback" not in result["errors"], (name, result)
        assert "cannot be written: " in message, (name, message)
        assert WRITERS[name][1] in message, (name, message)
        if name != "collect --replay":  # SQLite says less about the cause
            assert os.strerror(causes[fault]) in message, (name, message)
        assert message.partition("; ")[2], "what to do"
        assert not result["lost"], name
        assert not result["drafts"], name
        assert result["second code"] in (0, 3), (
            name,
            "with space, the same command goes on",
            result["second errors"],
        )


def test_a_full_standard_output_is_one_message():
    command = [sys.executable, "-m", "advisor", "methods"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300
        )
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "standard output says: no space left on device" in process.stderr


def test_a_closed_pipe_is_no_error():
    process = subprocess.run(
        f"{sys.executable} -m advisor methods | true",
        check=False,
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert process.stderr == ""


@pytest.mark.parametrize(("code", "kind", "remedy"), [
    (errno.ENOSPC, CannotWrite, "free some space"),
    (errno.EDQUOT, CannotWrite, "free some space"),
    (errno.EFBIG, CannotWrite, "ulimit -f"),
    (errno.EROFS, CannotWrite, "not read-only"),
    (errno.EACCES, CannotWrite, "permissions"),
    (errno.EIO, CannotWrite, "check the disk"),
    (errno.ENOTDIR, InputError, "choose another path"),
    (errno.ENAMETOOLONG, InputError, "shorter"),
])  # fmt: skip
def test_each_cause_has_its_exit_code_and_remedy(tmp_path, code, kind, remedy):
    expected = pytest.raises(kind, match=rf"{tmp_path}/f cannot be written: .*; .*{remedy}")
    with expected, report_write_errors(tmp_path / "f"):
        raise OSError(code, os.strerror(code))
    duckdb_error = duckdb.IOException(f'Could not write file "{tmp_path}/f": {os.strerror(code)}')
    message = explain_write_error(duckdb_error)
    assert isinstance(message, kind)
    assert f"{tmp_path}/f" in str(message) and remedy in str(message)


def test_without_any_place_for_temporary_files_the_message_names_all():
    error = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/x']")
    assert "['/tmp', '/x']: free some space there, or use a folder on another" in str(
        explain_write_error(error)
    )


def test_other_errors_stay_as_they_are(tmp_path):
    for error in (OSError("odd"), OSError(errno.ECONNRESET, "reset"), ValueError("x"), duckdb.IOException("x"),
                  sqlite3.OperationalError("no such table: x"), sqlite3.DatabaseError("malformed")):  # fmt: skip
        assert explain_write_error(error, tmp_path / "f") is None
    with pytest.raises(ValueError, match="x"), report_write_errors(tmp_path):
        raise ValueError("x")
    assert explain_exit(128, "fatal: Permission denied (publickey)", tmp_path) is None
    assert "No space" in str(explain_exit(128, "fatal: write error: No space left on device", tmp_path))
