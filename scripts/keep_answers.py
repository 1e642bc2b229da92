"""Keep beside bundled snapshots what `advisor rank` needs for the questions without options.

Usage: python scripts/keep_answers.py [SNAPSHOT…]; without arguments all of data/snapshots.
"""

from __future__ import annotations

import sys
from pathlib import Path

from advisor import advise, facts
from advisor.domain import data_folder


def main() -> None:
    for folder in map(Path, sys.argv[1:] or sorted((data_folder() / "snapshots").iterdir())):
        advise.keep_answers(facts.open_store(folder))


if __name__ == "__main__":
    main()
