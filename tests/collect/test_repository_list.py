"""The list of repositories, and its shards."""

from __future__ import annotations

import pytest

from advisor.cli.repository_list import read_list, select_shard
from advisor.errors import InputError


def test_list_and_shards(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a/b  # why\n\nc/d https://example.org/c/d.git\n")
    assert read_list(path) == {"a/b": "a/b", "c/d": "https://example.org/c/d.git"}
    many = {f"o{n}/r{n}": "x" for n in range(3000)}
    parts = [select_shard(many, f"{i}/3") for i in (1, 2, 3)]
    assert sum(map(len, parts)) == 3000 and set().union(*parts) == set(many)
    assert all(900 < len(p) < 1100 for p in parts)
    for text, message in (
        ("a/b\na/b\n", "list.txt:2: duplicate repository a/b"),
        ("ab\n", "list.txt:1: invalid repository name 'ab'"),
        ("#\n", "lists no repository"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_list(path)
    for shard in ("0/3", "4/3", "x", "1/"):
        with pytest.raises(InputError, match="expected i/n with 1 ≤ i ≤ n"):
            select_shard(many, shard)
