"""The memory that advisor takes follows the machine, the control group and `ulimit -v`."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from advisor.facts import checks, database
from advisor.memory import read_memory_limit

PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
GIB = 2**30


@pytest.mark.parametrize(("groups", "files", "limit"), [
    ("0::/a/b\n", {"a/b/memory.max": f"{GIB}\n"}, GIB),
    ("0::/a/b\n", {"a/memory.max": f"{GIB}\n", "a/b/memory.max": "max\n"}, GIB),
    ("0::/a/b\n", {"a/memory.max": "5000\n", "a/b/memory.max": f"{GIB}\n"}, 5000),
    ("0::/outside\n", {"memory.max": f"{GIB}\n"}, GIB),
    ("0::/\n", {"memory.max": "max\n"}, None),
    ("5:cpu,memory:/docker/x\n4:cpuset:/\n", {"memory/docker/x/memory.limit_in_bytes": "7000\n"}, 7000),
    ("5:memory:/docker/x\n0::/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
    ("4:cpuset:/a\n", {"a/memory.max": "5000\n"}, None),
    ("0::/../../elsewhere\n", {"memory.max": "5000\n"}, 5000),
    (None, {"memory.max": "5000\n"}, 5000),
    ("\n", {}, None),
])  # fmt: skip
def test_the_lowest_limit_of_the_groups_counts(tmp_path, groups, files, limit):
    """The layouts that `man 7 cgroups` describes: version 2, nested groups, version 1, a container's root."""
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if groups is not None:
        (tmp_path / "own").write_text(groups)
    assert read_memory_limit(tmp_path / "groups", tmp_path / "own") == (limit or PHYSICAL)


@pytest.mark.parametrize("is_read", [True, False])
def test_windows_has_its_own_call_for_the_memory(tmp_path, monkeypatch, is_read):
    """The status has eight numbers of 8 bytes; the caller sets the length in the first one."""

    def write_status(pointer):
        status = pointer._obj
        assert status[0] == ctypes.sizeof(status) == 64
        status[1] = 5000
        return is_read

    kernel = SimpleNamespace(GlobalMemoryStatusEx=write_status)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda: OSError("no memory status"), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)
    if is_read:
        assert read_memory_limit(tmp_path, tmp_path / "own") == 5000
    else:
        with pytest.raises(OSError, match="no memory status"):
            read_memory_limit(tmp_path, tmp_path / "own")


def test_the_limit_of_a_process_counts():
    command = "from advisor.facts.database import default_memory; print(default_memory())"
    done = subprocess.run(
        ["sh", "-c", f'ulimit -v {2**20} && exec "$0" -c "$1"', sys.executable, command],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{2**29 // 10**6}MB\n"


def test_duckdb_and_manifests_take_a_share_of_the_memory(monkeypatch):
    def shares(limit):
        for module in (database, checks):
            monkeypatch.setattr(module, "read_memory_limit", lambda: limit)
        with database.open_database() as db:
            (memory,) = db.execute("SELECT current_setting('memory_limit')").fetchone()
        return memory, checks.most_manifest_bytes()

    assert shares(GIB) == ("511.1 MiB", 16 * 2**20)
    assert shares(64 * GIB) == ("1.8 GiB", checks.MAX_MANIFEST_BYTES)


def test_a_small_machine_ranks_the_bundled_libraries():
    """Half of 512 MiB is more than the question needs; a past day is measured, so DuckDB runs."""
    code = (
        "from advisor.facts import database; database.read_memory_limit = lambda: 2**29\n"
        "import advisor, datetime; print(advisor.recommend(as_of=datetime.date(2024, 6, 5)).choice)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "/" in done.stdout
