"""Write the caches beside bundled snapshots, so that `advisor rank` without options is fast.

Usage: python scripts/keep_answers.py [SNAPSHOT…]; default: all of data/snapshots.
"""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.answers import recommend
from advisor.domain.files import data_folder
from advisor.facts import reading


def main() -> None:
    for folder in map(Path, sys.argv[1:] or sorted((data_folder() / "snapshots").iterdir())):
        recommend.write_answer_cache(reading.open_store(folder))


if __name__ == "__main__":
    main()
