"""Look up every entry of data/capabilities in the libraries' trees.

Usage: python scripts/check_capabilities.py OWNER/NAME=CLONE …

Ends with 1 if a text does not stand where the entry says, at the commit that it names.
"""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.collect.git.command import git
from advisor.domain.capabilities import load_capabilities
from advisor.errors import GitFailed


def main() -> int:
    clones = dict(pair.split("=", 1) for pair in sys.argv[1:])
    wrong = 0
    for name, library in load_capabilities("finetuning").items():
        if name not in clones:
            print(f"{name}: no clone given")
            continue
        for entry in (*library.capability, *library.licences):
            try:
                held = entry.shows in git(Path(clones[name]), "show", f"{library.commit}:{entry.path}")
            except GitFailed:
                held = False
            if not held:
                wrong += 1
                print(f"{name}: {entry.path} does not show {entry.shows!r}")
        print(f"{name}: {len(library.capability) + len(library.licences)} entries looked up")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
