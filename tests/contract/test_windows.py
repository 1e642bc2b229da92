"""The deciding half on Windows, as far as it can be simulated: without what only POSIX systems have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("answers", "decide", "domain", "facts", "measure", "metrics", "outlook", "population", "report")
COMMANDS = ("rank", "explain", "compare", "domains", "coverage", "dashboard", "backtest", "init", "schema")

# Third-party packages are imported first: they have their own code for Windows, which this system lacks.
SIMULATION = """
import os, signal, socket, sys
import duckdb, jinja2, numpy, packaging.requirements, packageurl, pandas, pydantic, typer, typer.core, yaml, rich.console
import asyncio, subprocess, multiprocessing, tempfile, shutil, sqlite3, concurrent.futures
POSIX_MODULES = ("crypt", "curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog",
                 "termios", "tty")
POSIX_NAMES = ("chown", "chroot", "ctermid", "fchdir", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid",
               "getgid", "getgroups", "getloadavg", "getpgid", "getuid", "killpg", "lchown", "mkfifo", "mknod", "nice",
               "pread", "preadv", "pwrite", "sched_getaffinity", "sched_setaffinity", "setsid", "setuid", "statvfs",
               "sync", "uname", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "ST_RDONLY", "WNOHANG")
for name in POSIX_MODULES:
    sys.modules[name] = None
for name in POSIX_NAMES:
    vars(os).pop(name, None)
for name in ("SIGALRM", "SIGKILL", "SIGHUP", "SIGUSR1", "alarm", "setitimer", "pthread_sigmask"):
    vars(signal).pop(name, None)
vars(socket).pop("AF_UNIX", None)
import warnings
warnings.filterwarnings("error", category=EncodingWarning, module="advisor")
"""
IMPORTS = """
import importlib, json, pkgutil
import advisor.api, advisor.files, advisor.addresses, advisor.write_errors
folders, commands = json.loads(sys.argv[1])
names = []
for folder in folders:
    package = importlib.import_module(f"advisor.{folder}")
    names += [m.name for m in pkgutil.walk_packages(package.__path__, f"advisor.{folder}.")]
names += [f"advisor.cli.commands.{name}" for name in commands]
for name in names:
    if not name.startswith("advisor.measure.spark"):
        importlib.import_module(name)
print(len(names))
"""
RUNS = """
from pathlib import Path
import advisor
from advisor import files
from advisor.cli import app, load
for name in json.loads(sys.argv[1])[1]:
    load(name)
files.write_atomically(Path("file"), b"new")
with files.draft_folder(Path("folder"), "draft-") as draft:
    assert draft.is_dir()
assert not draft.exists() and Path("file").read_bytes() == b"new"
assert advisor.recommend(as_of="2025-06-05").choice == "huggingface/trl"
Path("requirements.txt").write_text("httpx\\nflask\\n", encoding="utf-8")
for words in (["rank", "--from", "requirements.txt"], ["init", "mine", "--candidate", "pallets/flask=flask", "-o", "mine.toml"],
              ["explain", "trl"], ["dashboard", "--months", "0", "-o", "page.html"]):
    try:
        app(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""


def run(code, folder):
    words = [sys.executable, "-X", "warn_default_encoding", "-c", code, json.dumps([FOLDERS, COMMANDS])]
    env = {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "cp1252",
    }
    return subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, encoding="cp1252", check=False
    )


def test_all_of_the_deciding_half_imports_and_answers(tmp_path):
    process = run(SIMULATION + IMPORTS + RUNS, tmp_path)
    assert process.returncode == 0, process.stderr
    assert int(process.stdout.splitlines()[0]) > 150
    assert (tmp_path / "page.html").stat().st_size > 5e5 and (tmp_path / "mine.toml").exists()


def test_the_simulation_finds_a_call_that_only_posix_has(tmp_path):
    for text in ("import fcntl", "import os; os.geteuid()", "import signal; signal.SIGKILL"):
        process = run(f"{SIMULATION}\n{text}", tmp_path)
        assert process.returncode == 1 and "Error" in process.stderr


@pytest.mark.parametrize(("platform", "data", "cache"), [
    ("linux", ".local/share/advisor", ".cache/advisor"),
    ("darwin", "Library/Application Support/advisor", "Library/Caches/advisor"),
])  # fmt: skip
def test_the_folders_are_those_of_the_system(platform, data, cache, tmp_path):
    code = (
        f"import sys; sys.platform = {platform!r}; from advisor.files import cache_home, data_home\n"
        "print(data_home(), cache_home(), sep='\\n')"
    )
    folders = [str(tmp_path / data), str(tmp_path / cache)]
    assert run(code, tmp_path).stdout.splitlines() == folders
    chosen = (
        f"import os; os.environ['XDG_DATA_HOME'] = 'here'; os.environ['XDG_CACHE_HOME'] = 'there'\n{code}"
    )
    assert run(chosen, tmp_path).stdout.splitlines() == [
        str(Path("here/advisor")),
        str(Path("there/advisor")),
    ]


def test_linux_keeps_the_folders_that_platformdirs_names(tmp_path):
    code = (
        "import platformdirs; from advisor.files import cache_home, data_home\n"
        "assert data_home() == platformdirs.user_data_path('advisor'), data_home()\n"
        "assert cache_home() == platformdirs.user_cache_path('advisor')"
    )
    assert run(code, tmp_path).returncode == 0
