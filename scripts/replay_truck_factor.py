"""Truck factors of well-known histories as of 2016-11-15 beside the published ones.

Usage: python scripts/replay_truck_factor.py CLONES

CLONES is a folder of clones named OWNER__NAME or OWNER+NAME (bare or not). Prints a Markdown table.
The published values are those of November 2016 in the README of aserg-ufmg/Truck-Factor and in the
authors' two articles of that month; `docs/explanation/checks.md` keeps what this printed.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from advisor.collect.git.authors import number_people
from advisor.collect.git.commits import read_log, written
from advisor.collect.git.truck_factor import truck_factor_at

AS_OF = datetime(2016, 11, 15, tzinfo=UTC)
PUBLISHED = {
    "vuejs/vue": 1, "moment/moment": 1, "expressjs/express": 1, "jquery/jquery": 4, "d3/d3": 1,
    "Semantic-Org/Semantic-UI": 1, "electron/electron": 1, "rails/rails": 11, "meteor/meteor": 5,
    "socketio/socket.io": 2, "impress/impress.js": 1, "atom/atom": 4, "nwjs/nw.js": 3,
}  # fmt: skip


def folder_of(clones: Path, repository: str) -> Path | None:
    """The clone of a repository below ``clones``; None where there is none."""
    owner, name = repository.split("/")
    found = (clones / f"{owner}{sign}{name}" / rest for sign in ("__", "+") for rest in ("repo", "."))
    return next((f for f in found if f.is_dir()), None)


def main() -> int:
    """Command line; the exit code is the number of systems that are off by more than one."""
    clones, off = Path(sys.argv[1]), 0
    print("| repository | commits | published | ours | difference |\n|---|---|---|---|---|")
    for repository, published in PUBLISHED.items():
        folder = folder_of(clones, repository)
        if folder is None:
            print(f"| {repository} | no clone | {published} | ? | ? |")
            off += 1
            continue
        commits, changes = written(read_log(folder))
        until = sum(c.time <= AS_OF.timestamp() for c in commits)
        ours = truck_factor_at(folder, commits[:until], changes[:until], number_people(commits[:until]))
        difference = (ours or 0) - published
        off += abs(difference) > 1
        print(f"| {repository} | {until} | {published} | {ours} | {difference:+d} |")
    return off


if __name__ == "__main__":
    sys.exit(main())
