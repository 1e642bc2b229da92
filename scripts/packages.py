"""Write data/packages.csv: the repository that each installed distribution names in its metadata.

Usage: python scripts/packages.py -o data/packages.csv [SITE_PACKAGES…]. Without folders, the script reads
its own environment. Existing rows of other distributions stay. A distribution gets no row if it names no
GitHub repository, or several under the same label.
"""

from __future__ import annotations

import argparse
import csv
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from advisor.addresses import repository_of_links

COLUMNS = ("ecosystem", "package", "repository", "source", "read_on")


def find_repository(distribution: Distribution) -> str | None:
    """Return the repository that the distribution's links name, or None."""
    metadata = distribution.metadata
    links = [entry.partition(",")[::2] for entry in metadata.get_all("Project-URL") or []]
    return repository_of_links([*links, ("homepage", metadata["Home-page"] or "")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    rows: dict[tuple[str, str], dict[str, str]] = {}
    if options.output.exists():
        with options.output.open(encoding="utf-8", newline="") as file:
            rows = {(r["ecosystem"], r["package"]): r for r in csv.DictReader(file)}
    today = datetime.now(UTC).date().isoformat()
    paths = [str(folder) for folder in options.folders]
    for distribution in distributions(path=paths) if paths else distributions():
        repository = find_repository(distribution)
        name = canonicalize_name(distribution.metadata["Name"])
        if repository is not None:
            source = f"core metadata of {name} {distribution.version.partition('+')[0]}"
            row = ("pypi", name, repository, source, today)
            rows["pypi", name] = dict(zip(COLUMNS, row, strict=True))
    with options.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(rows.items()))


if __name__ == "__main__":
    main()
