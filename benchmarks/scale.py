"""Many repositories: python benchmarks/scale.py --sizes 1000 10000 50000 --days 60 --spark [--stores FOLDER]

Each row is a separate process with its own memory peak. The histories are generated (generate.py), 30 MB for a
thousand repositories, in a temporary folder or in FOLDER for the next run. The rows are: every metric at one date,
and at many monthly dates at the smallest size and the largest up to 10,000; measuring the smallest again after ten
commits in one repository; `advisor rank --all` over these; every metric and every shared view against a bare scan of
its columns; one metric against a loop in pandas; every metric on Spark and on DuckDB, with the start of Spark
separate. The exponent is that of time over repositories.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from advisor.facts import reading
from advisor.facts.tables import TABLES, columns
from advisor.metrics import METRICS

MIDDLE = 10_000  # the largest number of repositories for the single measurements


def clock():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return time.perf_counter(), cpu


def since(began):
    wall, cpu = (now - then for now, then in zip(clock(), began, strict=True))
    return {"wall": wall, "cpu": cpu, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def measure(path, months):
    from advisor.answers.history import ends_of_months
    from advisor.measure.whole_store import measure_store

    store = reading.open_store(path)
    days = ends_of_months(store.first_day, store.as_of, months - 1)
    began = clock()
    summary = measure_store(store, days)
    return {**since(began), "repositories": summary.repositories, "rows": summary.rows, "days": len(days)}


def again(path):
    """Measure a copy of a store, then once more after ten commits in one repository, then without a change."""
    from advisor.facts import writing
    from advisor.measure.whole_store import measure_store

    with tempfile.TemporaryDirectory(prefix="advisor-again-") as scratch:
        copy = Path(shutil.copytree(path, Path(scratch, "store")))
        store = reading.open_store(copy)
        name = store.repositories()[len(store.repositories()) // 2]
        commits = [
            {"repository": name, "day": store.as_of - timedelta(days=n), "author": 1, "organisation": None,
             "is_bot": False, "commits": 1, "source": "git:new", "retrieved_at": store.as_of}
            for n in range(10)
        ]  # fmt: skip
        results = []
        for rows in ([], commits, []):
            if rows:
                writing.write_rows(copy, "contributions", name, rows, part="new")
            store = reading.open_store(copy)
            began = clock()
            measure_store(store, [store.as_of])
            results.append(since(began))
    return results


def scans(path):
    """Each shared view and each metric's query, and the largest value of every column that they name.

    As in a run, a view that metrics share is computed once and the metrics read the result.
    """
    import re

    import duckdb

    from advisor.facts.store import all_rows_sql
    from advisor.measure.one_day import create_derived_views, create_lookup_tables, read_lookup_rows
    from advisor.measure.sql import fill_in_parameters
    from advisor.metrics.shared.views import derived_views

    store = reading.open_store(path)
    names = sorted(store.repositories())
    rows = []
    with duckdb.connect(config={"threads": 1}) as db:
        for table in TABLES:
            db.execute(f"CREATE VIEW all_{table} AS {all_rows_sql(store, table, names)}")
        create_lookup_tables(db, read_lookup_rows())
        reading.set_views(db, store.as_of)
        create_derived_views(db, store.as_of, METRICS)
        views = dict(derived_views(store.as_of))

        def cpu(sql):
            took = []
            for _ in range(3):
                began = time.process_time()
                db.execute(f"CREATE OR REPLACE TEMP TABLE answer AS {sql}")
                took.append(time.process_time() - began)
            return min(took)

        def scan(tables, text):
            words = set(
                re.findall(r"\w+", " ".join([text, *(views[name] for name in views if name in text)]))
            )
            bare = 0.0
            for table in tables:
                used = [c for c in columns(table) if c in words]
                bare += cpu(f"SELECT {', '.join(f'max({c})' for c in used)} FROM all_{table}")
            return bare

        for name, text in views.items():
            readers = sum(name in metric.sql for metric in METRICS.values())
            tables = [table for table in TABLES if re.search(rf"\b(?:FROM|JOIN) {table}\b", text)]
            if readers and tables:
                label = f"the view {name} (metrics that read it: {readers})"
                rows.append({"metric": label, "cpu": cpu(text), "bare": scan(tables, text)})
        for metric in METRICS.values():
            text = fill_in_parameters(metric, store.as_of)
            rows.append({"metric": metric.name, "cpu": cpu(text), "bare": scan(metric.needs, text)})
    return sorted(rows, key=lambda row: -row["cpu"] / row["bare"])


def rank_all(path):
    """Run `advisor rank --all` as a process, start included."""
    store = reading.open_store(path)
    command = [
        sys.executable,
        "-m",
        "advisor",
        "rank",
        "--all",
        "--store",
        str(path),
        "--domain",
        "dependencies",
    ]
    took = []
    for _ in range(5):
        began = clock()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        took.append(since(began))
    fastest = min(took, key=lambda row: row["wall"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {**fastest, "mib": peak, "repositories": len(store.repositories())}


def loop(path):
    """Contributors of a year, by hand in pandas: a loop over repositories, and our query."""
    import duckdb
    import pandas as pd

    from advisor.facts.store import all_rows_sql
    from advisor.measure.sql import fill_in_parameters

    store = reading.open_store(path)
    with duckdb.connect(config={"threads": 1}) as db:
        for table in METRICS["contributors"].needs:
            db.execute(f"CREATE VIEW {table} AS {all_rows_sql(store, table, store.repositories())}")
        began = time.process_time()
        ours = db.execute(fill_in_parameters(METRICS["contributors"], store.as_of)).fetchall()
        our_cpu = time.process_time() - began
        began = time.process_time()
        rows = db.execute("SELECT repository, day, author, is_bot FROM contributions").df()
        after = pd.Timestamp(store.as_of) - pd.Timedelta(days=365)
        theirs = {}
        for name, of_it in rows.groupby("repository"):
            theirs[name] = of_it[(of_it.day > after) & ~of_it.is_bot].author.nunique()
        loop_cpu = time.process_time() - began
    assert {row[0]: row[1] for row in ours} == theirs
    return {"ours": our_cpu, "loop": loop_cpu}


def on_spark(path):
    """Start Spark alone, then measure everything on Spark (start included), nothing new, and on DuckDB."""
    from advisor.measure.spark.engine import measure_on_spark
    from advisor.measure.spark.session import open_session
    from advisor.measure.whole_store import measure_store

    began = clock()
    with open_session("local[2]", {}) as spark:
        spark.sparkContext.parallelize([0, 1], 2).collect()  # starts the workers too
    results = {"start": clock()[0] - began[0]}
    store = reading.open_store(path)
    runs = {
        "duckdb": lambda: measure_store(store, [store.as_of]),
        "spark": lambda: measure_on_spark(str(path)),
        "again": lambda: measure_on_spark(str(path)),
    }
    for name, run in runs.items():
        if name != "again":
            shutil.rmtree(path / "measurements", ignore_errors=True)
        began = clock()
        run()
        results[name] = clock()[0] - began[0]
    return results


PARTS = {"scans": scans, "loop": loop, "spark": on_spark, "rank": rank_all, "again": again}


def run_part(part, path, *more):
    process = subprocess.run([sys.executable, "-W", "ignore", __file__, "--part", part, str(path), *more],
                          stdout=subprocess.PIPE, check=True)  # fmt: skip
    return json.loads(process.stdout.splitlines()[-1])


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def at(folder, size):
    """Return the store of this size; generate it if it does not exist."""
    path = folder / str(size)
    if not (path / "manifest.json").exists():
        script = str(Path(__file__).with_name("generate.py"))
        subprocess.run([sys.executable, script, str(path), str(size)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(path / "measurements", ignore_errors=True)
    return path


def growth(results):
    a, b = results[0], results[-1]
    apart = math.log(b["repositories"] / a["repositories"])
    return ", ".join(f"{kind} {math.log(b[kind] / a[kind]) / apart:.2f}" for kind in ("wall", "cpu"))


def row(r):
    return [f"{r['repositories']:,}", r["days"], f"{r['rows']:,}", f"{r['wall']:.1f}", f"{r['cpu']:.1f}",
            f"{r['rows'] * r['days'] / r['wall']:,.0f}", r["mib"]]  # fmt: skip


def main(sizes, days, with_spark, folder):
    middle = at(folder, max(s for s in sizes if s <= MIDDLE))
    results = [run_part("measure", at(folder, size), "1") for size in sizes]
    if days > 1:
        sizes_of_many = sorted({sizes[0], int(middle.name)})
        many = [run_part("measure", at(folder, size), str(days)) for size in sizes_of_many]
    head = ["repositories", "dates", "rows", "wall s", "CPU s", "rows x dates/s", "peak MiB"]
    table(head, map(row, [*results, *(many if days > 1 else [])]))
    if len(sizes) > 1:
        print(f"\ngrowth exponent from {sizes[0]:,} to {sizes[-1]:,} repositories: {growth(results)}")
    whole, *more = run_part("again", at(folder, sizes[0]))
    table([f"measuring {sizes[0]:,} repositories at one date", "CPU s", "ratio"], [
        [name, f"{r['cpu']:.2f}", f"{r['cpu'] / whole['cpu']:.2f}"]
        for name, r in zip(("everything", "again, ten commits in one", "again, nothing new"), [whole, *more],
                           strict=True)])  # fmt: skip
    run_part("measure", middle, "1")  # which `rank --all` reads
    r = run_part("rank", middle)
    table(["advisor rank --all, repositories", "wall s", "CPU s", "peak MiB"],
          [[f"{r['repositories']:,}", f"{r['wall']:.2f}", f"{r['cpu']:.2f}", r["mib"]]])  # fmt: skip
    table(["metric (1,000 repositories)", "CPU ms", "bare scan ms", "ratio"], [
        [r["metric"], f"{1000 * r['cpu']:.0f}", f"{1000 * r['bare']:.0f}", f"{r['cpu'] / r['bare']:.1f}"]
        for r in run_part("scans", at(folder, 1000))])  # fmt: skip
    r = run_part("loop", middle)
    table(["contributors", "CPU s", "ratio"], [["our query on Parquet", f"{r['ours']:.2f}", "1.0"],
          ["pandas, a loop over repositories", f"{r['loop']:.2f}", f"{r['loop'] / r['ours']:.1f}"]])  # fmt: skip
    if with_spark:
        r = run_part("spark", middle)
        table([f"every metric of {middle.name} repositories", "wall s", "ratio"], [
            [name, f"{r[key]:.1f}", f"{r[key] / r['duckdb']:.2f}"]
            for name, key in (("duckdb", "duckdb"), ("spark local[2], start included", "spark"),
                              ("the start of Spark alone", "start"), ("spark, nothing new", "again"))])  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--days", type=int, default=1, help="also so many monthly dates, at 10,000")
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--stores", type=Path, help="Reuse the generated stores in this folder.")
    parser.add_argument("--part", nargs="+")
    options = parser.parse_args()
    if options.part:
        name, path, *more = options.part
        answer = measure(Path(path), int(more[0])) if name == "measure" else PARTS[name](Path(path))
        print(json.dumps(answer))
    elif options.stores:
        options.stores.mkdir(parents=True, exist_ok=True)
        main(sorted(options.sizes), options.days, options.spark, options.stores.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="advisor-scale-") as scratch:
            main(sorted(options.sizes), options.days, options.spark, Path(scratch))
