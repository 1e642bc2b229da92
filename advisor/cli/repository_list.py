"""Read a list of repositories, and select a shard of it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def read_list(path: Path) -> dict[str, str]:
    """Return ``owner/name`` → place of its history, from lines ``owner/name`` or ``owner/name URL``.

    ``#`` begins a comment.

    Raises:
        InputError: the list cannot be read, is empty, or has a wrong line or a name twice.
    """
    from advisor.addresses import check_repository
    from advisor.errors import InputError
    from advisor.files import read_text

    lines = read_text(path).splitlines()
    histories: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name = check_repository(words[0])
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if name in histories:
            raise InputError(f"{path}:{number}: duplicate repository {name}")
        if len(words) > 2:
            raise InputError(f"{path}:{number}: invalid line: expected owner/name, or owner/name URL")
        histories[name] = words[-1]
    if not histories:
        raise InputError(f"{path} lists no repository")
    return histories


def select_shard(histories: dict[str, str], shard: str) -> dict[str, str]:
    """Return the repositories of shard ``i/n``; the shard of a repository depends only on its name.

    Raises:
        InputError: the shard is not written as i/n with 1 ≤ i ≤ n.
    """
    from advisor.errors import InputError

    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise InputError(f"invalid --shard {shard}: expected i/n with 1 ≤ i ≤ n, for example 1/3")

    def shard_of(name: str) -> int:
        return int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:8]) % int(count)

    return {name: history for name, history in histories.items() if shard_of(name) == int(number) - 1}
