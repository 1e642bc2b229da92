"""Read the histories of a bundled snapshot again with today's code; all other facts stay as they are.

Usage: python scripts/renew_snapshot.py DOMAIN CLONES CACHE [OWNER/NAME…], then scripts/keep_answers.py

CLONES holds a bare clone of each repository as OWNER+NAME/repo, with refs/pull, at the commit of the snapshot. Counts
of other sources, model coverage and the days of retrieval stay. A repository whose clone is missing or at another
commit keeps its facts, because its new facts would have another day; the script names it. For each of the others it
prints the tables that changed, with the number of rows that are gone and that are new.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from shrink_snapshot import shrink

from advisor.collect.git import collect_history
from advisor.collect.git.command import run_git
from advisor.domain.domain import load_domain
from advisor.domain.domain_file import read_domain_file
from advisor.domain.files import data_folder
from advisor.errors import GitFailed
from advisor.facts.reading import open_store, read_rows
from advisor.facts.store import file_path

TABLES = ("contributions", "co_authorships", "releases", "threads", "repositories", "counts")


def main() -> None:
    domain = load_domain(sys.argv[1])
    clones, cache, names = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    store = data_folder() / "snapshots" / domain.snapshot
    patterns = read_domain_file(sys.argv[1]).get("identities", ())
    packages = {candidate.repository: candidate.package for candidate in domain.candidates}
    for name in names or packages:
        clone = clones / name.replace("/", "+") / "repo"
        head = open_store(store).manifest["files"][file_path("contributions", name)]["head"]
        if read_head(clone) != head:
            print(f"{name}: left alone, {clone} is not at {head}, the commit of the snapshot", flush=True)
            continue
        before = read_tables(store, name)
        read_on = max(row["retrieved_at"] for row in before["contributions"])
        collect_history(
            str(clone), store, cache, retrieved_on=read_on, repository=name, package=packages[name],
            patterns=patterns, warn=print,
        )  # fmt: skip
        print(f"{name}: {compare(before, read_tables(store, name))}", flush=True)
    shrink(store)


def read_head(clone: Path) -> str | None:
    """Return the commit of a clone, or None without a clone."""
    try:
        return run_git(clone, "rev-parse", "HEAD").strip()
    except GitFailed:
        return None


def read_tables(store: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a repository in each table of a history."""
    facts = open_store(store)
    return {table: read_rows(facts, table, name) for table in TABLES}


def compare(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> str:
    """Return for each table that changed how many of its rows are gone and new."""
    changes = []
    for table in TABLES:
        old, new = (Counter(tuple(row.items()) for row in tables[table]) for tables in (before, after))
        if old != new:
            changes.append(f"{table} −{(old - new).total()} +{(new - old).total()}")
    return ", ".join(changes) or "the same facts"


if __name__ == "__main__":
    main()
