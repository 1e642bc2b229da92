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

from advisor.addresses import github_repository

COLUMNS = ("ecosystem", "package", "repository", "source", "read_on")
# The labels of PyPI's "well-known" project URLs, the surest first.
LABELS = ("source", "sourcecode", "repository", "github", "code", "homepage", "")


def repository_of(distribution: Distribution) -> str | None:
    """The repository under the surest label that leads to one."""
    metadata = distribution.metadata
    by_label: dict[str, set[str]] = {}
    for entry in metadata.get_all("Project-URL") or []:
        label, _, url = entry.partition(",")
        if found := github_repository(url):
            by_label.setdefault("".join(c for c in label.lower() if c.isalpha()), set()).add(found)
    if found := github_repository(metadata["Home-page"] or ""):
        by_label.setdefault("homepage", set()).add(found)
    for label in (*LABELS, *by_label):
        names = {name.lower(): name for name in by_label.get(label, ())}
        if len(names) == 1:
            return next(iter(names.values()))
    return None


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
