"""Collect many Git histories with one worker and with two, whole commands in one run.

Usage: python benchmarks/collect_workers.py LIST [RUNS]. LIST is a list for `advisor collect --repos` with
histories on this machine (owner/name FOLDER), so that no network is measured.

Each run is `advisor collect --repos LIST --git-only` into a new store with an empty clone cache: clone,
commits, change requests, releases, truck factors, Parquet, merge and measurements. One and two workers run
in turn; figures are medians. Both must write the same facts, byte for byte.
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


def run_once(repositories_file: Path, workers: int) -> tuple[float, float, int, dict[str, str]]:
    """Return wall and CPU seconds (children included), commits, and file → hash."""
    with tempfile.TemporaryDirectory() as home:
        store = Path(home) / "store"
        command = [
            sys.executable, "-m", "advisor", "collect", "--repos", str(repositories_file), "--git-only",
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
        return wall, used.ru_utime + used.ru_stime, count_commits(store), hashes


def count_commits(path: Path) -> int:
    import duckdb

    store = reading.open_store(path)
    rows = all_rows_sql(store, "contributions", store.repositories())
    with duckdb.connect() as db:
        return int(db.execute(f"SELECT sum(commits) FROM ({rows})").fetchone()[0])


def main() -> None:
    repositories_file = Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if sys.argv[2:] else 3
    results = {workers: [] for workers in WORKERS}
    for _ in range(runs):
        for workers in WORKERS:
            results[workers].append(run_once(repositories_file, workers))
    same = {tuple(sorted(result[3].items())) for group in results.values() for result in group}
    assert len(same) == 1, "the facts differ"
    first = statistics.median(wall for wall, *_ in results[WORKERS[0]])
    repositories = {repository_of(file) for file, _ in same.pop()}
    print(f"{len(repositories)} repositories, {results[1][0][2]:,} commits, medians of {runs} runs\n")
    print("| workers | wall s | CPU s | commits/s (wall) | faster, × |\n|---|---|---|---|---|")
    for workers, group in results.items():
        wall, cpu, commits = (statistics.median(run[n] for run in group) for n in range(3))
        print(f"| {workers} | {wall:.1f} | {cpu:.1f} | {commits / wall:,.0f} | {first / wall:.2f} |")


if __name__ == "__main__":
    main()
