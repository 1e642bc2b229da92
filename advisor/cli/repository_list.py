"""Lists of repositories, and shards of a list."""

from __future__ import annotations

import hashlib
from pathlib import Path


def read_list(path: Path) -> dict[str, str]:
    """``owner/name`` → where its history is, from lines ``owner/name`` or ``owner/name URL``.

    Raises:
        InputError: the list cannot be read, is empty, or a line is wrong or names one again.
    """
    from advisor.addresses import check_repository
    from advisor.errors import InputError

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name = check_repository(words[0])
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if len(words) > 2 or name in found:
            what = "is there twice" if name in found else "write it as owner/name, or owner/name URL"
            raise InputError(f"{path}:{number}: {name}: {what}")
        found[name] = words[-1]
    if not found:
        raise InputError(f"{path} names no repository")
    return found


def in_shard(histories: dict[str, str], shard: str) -> dict[str, str]:
    """Those whose name falls into shard ``i/n``, whatever else is in the list.

    Raises:
        InputError: it is not written as i/n with 1 ≤ i ≤ n.
    """
    from advisor.errors import InputError

    number, _, of = shard.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise InputError(f"--shard {shard}: write it as i/n, e.g. 1/3")

    def place(name: str) -> int:
        return int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:8]) % int(of)

    return {name: where for name, where in histories.items() if place(name) == int(number) - 1}
