"""data/packages.csv from what is installed: whose repository a distribution names in its own metadata.

Usage: python scripts/packages.py -o data/packages.csv [SITE_PACKAGES…]. Without folders: the environment
that runs this. A row that is there and was not met again stays. A distribution that names no repository on
GitHub, or more than one under the same label, gets no row.
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


def repository_of(distribution: Distribution) -> str | None:
    """The repository to which its own links lead."""
    metadata = distribution.metadata
    links = [entry.partition(",")[::2] for entry in metadata.get_all("Project-URL") or []]
    return repository_of_links([*links, ("homepage", metadata["Home-page"] or "")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    rows: dict[tuple[str, str], dict[str, str]] = {}
    if asked.output.exists():
        with asked.output.open(encoding="utf-8", newline="") as file:
            rows = {(r["ecosystem"], r["package"]): r for r in csv.DictReader(file)}
    today = datetime.now(UTC).date().isoformat()
    places = [str(folder) for folder in asked.folders]
    for distribution in distributions(path=places) if places else distributions():
        repository = repository_of(distribution)
        name = canonicalize_name(distribution.metadata["Name"])
        if repository is not None:
            source = f"core metadata of {name} {distribution.version.partition('+')[0]}"
            row = ("pypi", name, repository, source, today)
            rows["pypi", name] = dict(zip(COLUMNS, row, strict=True))
    with asked.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(rows.items()))


if __name__ == "__main__":
    main()
