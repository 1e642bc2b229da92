"""Write the upload time of each version of a package to uploads.csv, for `advisor collect-support`.

Usage: python scripts/uploads.py OUT OWNER/NAME=PACKAGE …

Only final versions count, including those that were yanked later.
"""

from __future__ import annotations

import csv
import json
import sys
import urllib.request
from pathlib import Path

from packaging.version import InvalidVersion, Version


def main() -> None:
    out, *pairs = sys.argv[1:]
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["repository", "version", "released_at"])
        for repository, _, package in (pair.partition("=") for pair in pairs):
            with urllib.request.urlopen(f"https://pypi.org/pypi/{package}/json") as response:
                releases = json.load(response)["releases"]
            for version, files in sorted(releases.items()):
                if files and _is_final(version):
                    writer.writerow([repository, version, files[0]["upload_time_iso_8601"]])


def _is_final(version: str) -> bool:
    try:
        return not Version(version).is_prerelease
    except InvalidVersion:
        return False


if __name__ == "__main__":
    main()
