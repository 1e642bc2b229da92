"""The clone cache stays within its limit: the least recently used clone goes first, none in use."""

from __future__ import annotations

import os
import time

import pytest

from advisor import files
from advisor.collect.git import clone_cache
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


def test_folders_of_killed_processes_go_and_those_in_use_stay(tmp_path):
    with (
        files.draft_folder(tmp_path, clone_cache.CLONING) as cloning,
        files.draft_folder(tmp_path, clone_cache.READING) as reading,
    ):
        os.utime(cloning, (0, 0))  # a clone can take longer than any time limit
        for name in (".cloning-a1b2c3d4", ".reading-_e5f6g7h", "o__r.gone", "o__r.git", ".other"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text("x")
        clone_cache.remove_leftovers(tmp_path)
        names = {p.name for p in tmp_path.iterdir()}
        assert names == {cloning.name, reading.name, "o__r.git", ".other"}
    assert {p.name for p in tmp_path.iterdir()} == {"o__r.git", ".other"}


def test_locks_of_a_killed_git_go_and_those_of_a_finished_one_stay(tmp_path):
    clone = tmp_path / "o__r.git"
    leftovers = ("packed-refs.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x", "gc.pid")
    for file in (*leftovers, "objects/pack/pack-1.pack"):
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        (clone / file).write_text("x")
    with clone_cache.lock_clone(tmp_path, "o/r"):  # nobody has finished with it
        assert [p.name for p in clone.rglob("*") if p.is_file()] == ["pack-1.pack"]
    assert (tmp_path / "o__r.use").read_text() == "1"
    (clone / "packed-refs.lock").write_text("x")  # somebody else's, such as a person's own git
    with clone_cache.lock_clone(tmp_path, "o/r"):
        assert (clone / "packed-refs.lock").exists()


def test_clone_of_a_killed_process_counts_with_its_size(tmp_path):
    (tmp_path / "o__r.git").mkdir()
    (tmp_path / "o__r.git" / "pack").write_bytes(b"x" * 1000)
    (tmp_path / "o__r.use").touch()
    (tmp_path / "o__r.changes").write_bytes(b"x" * 500)
    assert clone_cache.shrink_cache(tmp_path, 1500) == 0
    assert clone_cache.shrink_cache(tmp_path, 1499) == 1, "the changes that were read count too"
    assert not (tmp_path / "o__r.changes").exists()
