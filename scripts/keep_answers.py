"""Write the caches beside bundled snapshots and the hashes of all, so that questions without options are fast.

Usage: python scripts/keep_answers.py [--months N] [SNAPSHOT…]; default: 72 past ends of months, and all of
data/snapshots. It takes some minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

from advisor.answers.answer_cache import write_answer_cache
from advisor.answers.history import MONTHS
from advisor.domain.files import data_folder
from advisor.facts import reading
from advisor.measure import months, seals


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("snapshots", type=Path, nargs="*")
    options = parser.parse_args()
    snapshots = data_folder() / "snapshots"
    for folder in options.snapshots or sorted(snapshots.iterdir()):
        write_answer_cache(reading.open_store(folder), options.months)
        shrink_months(folder / months.FILE)
        write_digests(snapshots)


def shrink_months(path: Path) -> None:
    """Compress the months better than `advisor` has time for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            new.writestr(zipfile.ZipInfo(entry.filename, entry.date_time), old.read(entry), zipfile.ZIP_LZMA)
    path.write_bytes(buffer.getvalue())


def write_digests(snapshots: Path) -> None:
    """Write the hashes of all caches, and remove what belongs to this machine."""
    digests = {}
    for name in ("draws.json", "list_figures.json", "measurements.json.gz", "months.zip"):
        for path in sorted(snapshots.glob(f"*/{name}")):
            seals.seal_path(path).unlink(missing_ok=True)  # a seal is of one machine, a hash of all
            (path.parent / ".lock").unlink(missing_ok=True)
            digests[f"{path.parent.name}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (data_folder() / seals.DIGESTS_FILE).write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
