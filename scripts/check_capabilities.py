"""Look up every entry of data/capabilities in the source trees of the libraries.

Usage: python scripts/check_capabilities.py OWNER/NAME=CLONE …

Exits with 1 if a text is not where the entry says, at its commit.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from advisor.collect.git.command import run_git
from advisor.collect.git.local_clone import open_local_clone
from advisor.domain.capabilities import load_capabilities
from advisor.errors import GitFailed


def main() -> int:
    clones = dict(pair.split("=", 1) for pair in sys.argv[1:])
    wrong = 0
    for name, library in load_capabilities().items():
        if name not in clones:
            print(f"{name}: no clone")
            continue
        with (
            tempfile.TemporaryDirectory() as cache,
            open_local_clone(Path(clones[name]), Path(cache)) as clone,
        ):
            for entry in (*library.capability, *library.licences):
                try:
                    is_there = entry.shows in run_git(clone, "show", f"{library.commit}:{entry.path}")
                except GitFailed:
                    is_there = False
                if not is_there:
                    wrong += 1
                    print(f"{name}: {entry.path} does not show {entry.shows!r}")
        print(f"{name}: {len(library.capability) + len(library.licences)} entries looked up")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
