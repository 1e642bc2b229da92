"""Write the first release of transformers that loads each language model: data/architectures.csv.

Usage: python scripts/architectures.py OUT [WHEELS]

The script uses pip to download the first wheel of every minor release since 4.27 into WHEELS (default: a
temporary folder), and reads the mapping in each wheel without importing it. For an architecture that first
appeared in a patch release, the next minor release counts.
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

from advisor.collect.coverage.transformers import PATH, read_models

FIRST_VERSION = Version("4.27")


def main() -> None:
    out, *folders = sys.argv[1:]
    wheels = Path(*folders) if folders else Path(tempfile.mkdtemp())
    with urllib.request.urlopen("https://pypi.org/pypi/transformers/json") as response:
        releases = json.load(response)["releases"]
    days = {
        Version(v): files[0]["upload_time"][:10]
        for v, files in releases.items()
        if files and not all(f["yanked"] for f in files)
    }
    first_of_minor: dict[tuple[int, int], Version] = {}
    for version in sorted(days):
        if version >= FIRST_VERSION and not version.is_prerelease:
            first_of_minor.setdefault((version.major, version.minor), version)
    first_releases: dict[str, tuple[str, str, str]] = {}
    for version in sorted(first_of_minor.values()):
        for name, reads in read_models(_read_mapping(wheels, version)).items():
            first_releases.setdefault(name, (str(version), days[version], reads))
        print(version, len(first_releases), file=sys.stderr)
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["architecture", "release", "released_on", "reads"])
        writer.writerows([name, *first] for name, first in sorted(first_releases.items()))


def _read_mapping(wheels: Path, version: Version) -> str:
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
