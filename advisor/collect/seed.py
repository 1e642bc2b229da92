"""Copy bundled facts into a new store, so that a collection fetches only what is newer."""

from __future__ import annotations

from pathlib import Path

from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import SnapshotMissing
from advisor.facts import reading, writing
from advisor.facts.tables import TABLES


def seed_store(store: Path, domain: str) -> int:
    """Copy the bundled fact files of a domain's candidates that the store does not have.

    Returns:
        number of files copied; 0 if the domain has no bundled snapshot.
    """
    domain_config = load_domain(domain)
    try:
        snapshot = reading.open_store(data_folder() / "snapshots" / domain_config.snapshot)
    except SnapshotMissing:
        return 0  # a user's own domain
    try:
        existing_files = set(reading.open_store(store).manifest["files"])
    except SnapshotMissing:
        existing_files = set()
    count = 0
    for candidate in domain_config.candidates:
        for table in TABLES:
            file = f"{table}/{candidate.repository.replace('/', '__', 1)}.parquet"
            if file in existing_files or file not in snapshot.manifest["files"]:
                continue
            entry = snapshot.manifest["files"][file]
            head = {"head": entry["head"]} if "head" in entry else {}
            writing.write_rows(
                store,
                table,
                candidate.repository,
                reading.read_rows(snapshot, table, candidate.repository),
                **head,
            )
            count += 1
    return count
