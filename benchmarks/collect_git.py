"""Read a Git history: commits per second of our reader, pygit2 and PyDriller, in one run.

Usage: python benchmarks/collect_git.py CLONE [RUNS [READER…]], in an environment with `pip install -e .
pygit2 pydriller`. CLONE needs a work tree and its file contents, because PyDriller reads both.

Each reader gives the same facts of the default branch: author, time and changed paths of every commit
without merges. The readers run in turn, each in a separate process. The figures are medians over the runs.
`advisor collect` is the whole command, with change requests, releases, declared status, truck factors and
Parquet.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READERS = {
    "advisor's reader": """
from pathlib import Path
from advisor.collect.git.changes import open_changes, read_changes
from advisor.collect.git.commits import read_log, list_nonmerge_commits
from advisor.collect.git.local_clone import open_local_clone
out = Path(sys.argv[2])
with open_local_clone(Path(sys.argv[1]), out) as clone, open_changes(out / "x.changes") as db:
    commits = list_nonmerge_commits(read_log(clone))
    changes = list(read_changes(db, clone, [commit.sha for commit in commits]))
print(len(commits))
""",
    "advisor collect --git-only": """
from pathlib import Path
from datetime import date
from advisor.collect.git import collect_history
where, out = sys.argv[1:3]
lines = []  # "own/er: 6601 commits, …"
collect_history(
    where, Path(out), Path(out), retrieved_on=date(2026, 1, 1), repository="own/er", progress=lines.append
)
print(lines[-1].split()[1])
""",
    "pygit2": """
import pygit2
repo, commits = pygit2.Repository(sys.argv[1]), []
mailmap = pygit2.Mailmap.from_repository(repo)
for c in repo.walk(repo.head.target, pygit2.enums.SortMode.TIME):
    if len(c.parents) < 2:
        older = [c.parents[0].tree] if c.parents else []
        diff = c.tree.diff_to_tree(*older, swap=True)
        author = mailmap.resolve_signature(c.author)
        paths = [d.new_file.path for d in diff.deltas]
        commits.append((str(c.id), author.name, author.email, c.commit_time, paths))
print(len(commits))
""",
    "PyDriller": """
from pydriller import Repository
commits = [
    (c.hash, c.author.name, c.author.email, c.committer_date, [m.new_path for m in c.modified_files])
    for c in Repository(sys.argv[1], only_no_merge=True).traverse_commits()
]
print(len(commits))
""",
}


def run_reader(code: str, where: str) -> tuple[int, float, float, float]:
    """Return commits, wall seconds, CPU seconds with children, and the peak MiB of the largest process."""
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", "import sys\n" + code, where, out], stdout=output)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if child.returncode:
            raise SystemExit(f"a reader failed: {code}")
        commits = int(output.read().split()[-1])
    return commits, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    where = str(Path(sys.argv[1]).resolve())
    runs = int(sys.argv[2]) if sys.argv[2:] else 5
    readers = {name: READERS[name] for name in sys.argv[3:] or READERS}
    start = statistics.median(run_reader("print(0)", where)[1] for _ in range(runs))
    results: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in readers}
    for _ in range(runs):
        for name, code in readers.items():
            results[name].append(run_reader(code, where))
    first = next(iter(results.values()))
    ours = statistics.median(wall for _, wall, _, _ in first)
    print(f"{first[0][0]} commits without merges; each figure includes the start of Python, {start:.2f} s\n")
    print("| reader | commits/s (wall) | commits/s (CPU) | peak MiB | wall, ratio |\n|---|---|---|---|---|")
    for name, runs_of_reader in results.items():
        commits, wall, cpu, peak = (statistics.median(v) for v in zip(*runs_of_reader, strict=True))
        print(f"| {name} | {commits / wall:,.0f} | {commits / cpu:,.0f} | {peak:.0f} | {wall / ours:.1f} |")


if __name__ == "__main__":
    main()
