"""Read the histories of a bundled snapshot again with today's code; all other facts stay as they are.

Usage: python scripts/renew_snapshot.py DOMAIN CLONES CACHE [OWNER/NAME…], then scripts/keep_answers.py

CLONES holds a bare clone of each repository as OWNER+NAME/repo, with refs/pull, at the commit of the snapshot. Counts
of other sources, model coverage and the days of retrieval stay. A clone at another commit ends the run, because its
facts would have another day.
"""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.collect.git import collect_history
from advisor.collect.git.command import run_git
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.domain.identities import load_identities
from advisor.facts.reading import open_store, read_rows
from advisor.facts.store import file_path


def main() -> None:
    domain = load_domain(sys.argv[1])
    clones, cache, names = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    store = data_folder() / "snapshots" / domain.snapshot
    packages = {candidate.repository: candidate.package for candidate in domain.candidates}
    for name in names or packages:
        clone = clones / name.replace("/", "+") / "repo"
        head = open_store(store).manifest["files"][file_path("contributions", name)]["head"]
        if run_git(clone, "rev-parse", "HEAD").strip() != head:
            sys.exit(f"{clone} is not at {head}, the commit of the snapshot: check it out there")
        read_on = max(row["retrieved_at"] for row in read_rows(open_store(store), "contributions", name))
        collect_history(
            str(clone), store, cache, retrieved_on=read_on, repository=name, package=packages[name],
            identities=load_identities(domain.identities), progress=print, warn=print,
        )  # fmt: skip


if __name__ == "__main__":
    main()
