"""A store of one's own begins with the facts that came along, so that only what is newer is collected."""

from __future__ import annotations

from pathlib import Path

from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing
from advisor.facts.tables import TABLES


def seed(store: Path, domain: str) -> int:
    """Copy the bundled facts about the domain's candidates that the store has nothing of yet.

    Returns:
        number of files copied.
    """
    entry = load_domain(domain)
    try:
        bundled = reading.open_store(data_folder() / "snapshots" / entry.snapshot)
    except SnapshotMissing:
        return 0  # a domain of one's own
    try:
        known = set(reading.open_store(store).manifest["files"])
    except SnapshotMissing:
        known = set()
    copied = 0
    for candidate in entry.candidates:
        for table in TABLES:
            file = f"{table}/{candidate.repository.replace('/', '__', 1)}.parquet"
            if file in known or file not in bundled.manifest["files"]:
                continue
            about = bundled.manifest["files"][file]
            head = {"head": about["head"]} if "head" in about else {}
            writing.write(
                store, table, candidate.repository, reading.read(bundled, table, candidate.repository), **head
            )
            copied += 1
    return copied
