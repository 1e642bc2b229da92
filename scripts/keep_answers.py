"""Write the caches beside bundled snapshots and the hashes of all, so that questions without options are fast.

Usage: python scripts/keep_answers.py [SNAPSHOT…]; default: all of data/snapshots.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from advisor.answers.answer_cache import write_answer_cache
from advisor.domain.files import data_folder
from advisor.facts import reading
from advisor.measure import seals


def main() -> None:
    snapshots = data_folder() / "snapshots"
    for folder in map(Path, sys.argv[1:] or sorted(snapshots.iterdir())):
        write_answer_cache(reading.open_store(folder))
    digests = {}
    for name in ("draws.json", "list_figures.json", "measurements.json", "months.zip"):
        for path in sorted(snapshots.glob(f"*/{name}")):
            seals.seal_path(path).unlink(missing_ok=True)  # a seal is of one machine, a hash of all
            (path.parent / ".lock").unlink(missing_ok=True)
            digests[f"{path.parent.name}/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (data_folder() / seals.DIGESTS_FILE).write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
