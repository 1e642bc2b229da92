"""Many git histories by one worker and by two, whole commands in one run.

Usage: python benchmarks/collect_workers.py LIST [RUNS]. LIST is one of `advisor collect --repos`, its
histories on this machine (owner/name FOLDER), so that no network is timed.

Each run is `advisor collect --repos LIST --git-only` into a new store with an empty cache of clones: clone,
commits, change requests, releases, truck factors, Parquet, merge and measurements. The numbers of workers
take turns; figures are medians. Both must leave the same facts, byte for byte.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from advisor.facts import manifest, reading
from advisor.facts.store import all_rows_sql, repository_of

WORKERS = (1, 2)


def once(listed: Path, workers: int) -> tuple[float, float, int, dict[str, str]]:
    """Wall and CPU seconds with those of children, commits, file → hash."""
    with tempfile.TemporaryDirectory() as home:
        store = Path(home) / "store"
        command = [
            sys.executable, "-m", "advisor", "collect", "--repos", str(listed), "--git-only",
            "--store", str(store), "--workers", str(workers), "--retrieved-on", "2026-11-24",
        ]  # fmt: skip
        began = time.perf_counter()
        child = subprocess.Popen(
            command, env={**os.environ, "XDG_DATA_HOME": home}, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"advisor collect ended with {child.returncode}: {' '.join(command)}")
        hashes = {file: entry["sha256"] for file, entry in manifest.read_manifest(store)["files"].items()}
        return wall, used.ru_utime + used.ru_stime, commits_in(store), hashes


def commits_in(path: Path) -> int:
    import duckdb

    store = reading.open_store(path)
    rows = all_rows_sql(store, "contributions", store.repositories())
    with duckdb.connect() as db:
        return int(db.execute(f"SELECT sum(commits) FROM ({rows})").fetchone()[0])


def main() -> None:
    listed = Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if sys.argv[2:] else 3
    taken = {workers: [] for workers in WORKERS}
    for _ in range(runs):
        for workers in WORKERS:
            taken[workers].append(once(listed, workers))
    same = {tuple(sorted(found[3].items())) for runs_of_it in taken.values() for found in runs_of_it}
    assert len(same) == 1, "the facts differ"
    first = statistics.median(wall for wall, *_ in taken[WORKERS[0]])
    repositories = {repository_of(file) for file, _ in same.pop()}
    print(f"{len(repositories)} repositories, {taken[1][0][2]:,} commits, medians of {runs} runs\n")
    print("| workers | wall s | CPU s | commits/s (wall) | faster, × |\n|---|---|---|---|---|")
    for workers, found in taken.items():
        wall, cpu, commits = (statistics.median(run[n] for run in found) for n in range(3))
        print(f"| {workers} | {wall:.1f} | {cpu:.1f} | {commits / wall:,.0f} | {first / wall:.2f} |")


if __name__ == "__main__":
    main()
