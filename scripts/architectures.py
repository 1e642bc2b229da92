"""Which release of transformers first loads which causal language model → data/architectures.csv.

Usage: python scripts/architectures.py OUT [WHEELS]

Downloads the first wheel of every minor release since 4.27 from the package index with pip (into
WHEELS, where it is kept), and reads the mapping in each; nothing is imported. An architecture that a
patch release brought is dated by the next minor release.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from packaging.version import Version

from advisor.collect.coverage.transformers import PATH, causal_language_models

FIRST = Version("4.27")


def main() -> None:
    out, *kept = sys.argv[1:]
    wheels = Path(*kept) if kept else Path(tempfile.mkdtemp())
    with urllib.request.urlopen("https://pypi.org/pypi/transformers/json") as answer:
        published = json.load(answer)["releases"]
    days = {
        Version(v): files[0]["upload_time"][:10]
        for v, files in published.items()
        if files and not all(f["yanked"] for f in files)
    }
    first_of_minor: dict[tuple[int, int], Version] = {}
    for version in sorted(days):
        if version >= FIRST and not version.is_prerelease:
            first_of_minor.setdefault((version.major, version.minor), version)
    found: dict[str, tuple[str, str]] = {}
    for version in sorted(first_of_minor.values()):
        for name in causal_language_models(_mapping(wheels, version)):
            found.setdefault(name, (str(version), days[version]))
        print(version, len(found), file=sys.stderr)
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["architecture", "release", "released_on"])
        writer.writerows([name, *first] for name, first in sorted(found.items()))


def _mapping(wheels: Path, version: Version) -> str:
    wheel = wheels / f"transformers-{version}-py3-none-any.whl"
    if not wheel.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
             "--dest", str(wheels), f"transformers=={version}"], check=True,
        )  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(PATH).decode()


if __name__ == "__main__":
    main()
