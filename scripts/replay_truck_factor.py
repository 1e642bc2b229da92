"""Compare truck factors of well-known histories as of 2016-11-15 with the published values.

Usage: python scripts/replay_truck_factor.py CLONES

CLONES is a folder of clones named OWNER__NAME or OWNER+NAME (bare or not). The script prints a Markdown table.
The published values are from November 2016: the README of aserg-ufmg/Truck-Factor and two articles of its
authors. `docs/explanation/checks.md` has the output.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from advisor.collect.git.authors import number_people
from advisor.collect.git.commits import list_nonmerge_commits, read_log
from advisor.collect.git.local_clone import open_local_clone
from advisor.collect.git.quarters import read_final_figures

AS_OF = datetime(2016, 11, 15, tzinfo=UTC)
PUBLISHED_FACTORS = {
    "vuejs/vue": 1, "moment/moment": 1, "expressjs/express": 1, "jquery/jquery": 4, "d3/d3": 1,
    "Semantic-Org/Semantic-UI": 1, "electron/electron": 1, "rails/rails": 11, "meteor/meteor": 5,
    "socketio/socket.io": 2, "impress/impress.js": 1, "atom/atom": 4, "nwjs/nw.js": 3,
}  # fmt: skip


def find_clone(clones: Path, repository: str) -> Path | None:
    """Return the clone of a repository in ``clones``, or None if there is none."""
    owner, name = repository.split("/")
    folders = (clones / f"{owner}{sign}{name}" / rest for sign in ("__", "+") for rest in ("repo", "."))
    return next((f for f in folders if f.is_dir()), None)


def main() -> int:
    """Run the command line; the exit code is the number of repositories that differ by more than one."""
    clones, deviations = Path(sys.argv[1]), 0
    print("| repository | commits | published | ours | difference |\n|---|---|---|---|---|")
    for repository, published_factor in PUBLISHED_FACTORS.items():
        folder = find_clone(clones, repository)
        if folder is None:
            print(f"| {repository} | no clone | {published_factor} | ? | ? |")
            deviations += 1
            continue
        with tempfile.TemporaryDirectory() as cache, open_local_clone(folder, Path(cache)) as clone:
            commits = list_nonmerge_commits(read_log(clone))
            count = sum(c.time <= AS_OF.timestamp() for c in commits)
            people = number_people(commits[:count])
            figures = read_final_figures(clone, commits[:count], people, Path(cache) / "x.changes")
        our_factor = figures["truck_factor"]
        difference = (our_factor or 0) - published_factor
        deviations += abs(difference) > 1
        print(f"| {repository} | {count} | {published_factor} | {our_factor} | {difference:+d} |")
    return deviations


if __name__ == "__main__":
    sys.exit(main())
