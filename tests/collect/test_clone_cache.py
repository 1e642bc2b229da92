"""The clone cache stays within its limit: the least recently used clone goes first, none in use."""

from __future__ import annotations

import os
import time

import pytest

from advisor.collect.many import clone_cache
from advisor.errors import InputError


def test_clone_cache_stays_within_its_limit(tmp_path):
    for n, age in enumerate((300, 200, 100)):
        name = f"o/r{n}"
        with clone_cache.lock_clone(tmp_path, name):
            (tmp_path / f"o__r{n}.git").mkdir()
            (tmp_path / f"o__r{n}.git" / "pack").write_bytes(b"x" * 1000)
        os.utime(tmp_path / f"o__r{n}.use", (time.time() - age,) * 2)
    assert clone_cache.shrink_cache(tmp_path, 3000) == 0
    with clone_cache.lock_clone(tmp_path, "o/r0"):  # in use, so the next oldest goes
        assert clone_cache.shrink_cache(tmp_path, 2500) == 1
    assert sorted(p.name for p in tmp_path.glob("*.git")) == ["o__r0.git", "o__r2.git"]
    assert clone_cache.shrink_cache(tmp_path, 0) == 2
    assert (clone_cache.parse_size("20GB"), clone_cache.parse_size("1.5k")) == (20 * 10**9, 1500)
    with pytest.raises(InputError, match="such as 20GB"):
        clone_cache.parse_size("a lot")


def test_partial_clones_of_killed_processes_go_after_a_day(tmp_path):
    for name, age in ((".cloning-old", 90_000), (".cloning-new", 60), ("o__r.git", 90_000)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1e9 - age,) * 2)
    clone_cache.remove_leftovers(tmp_path, 1e9)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".cloning-new", "o__r.git"]
