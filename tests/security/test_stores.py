"""A store from a stranger: each attack, and that it fails.

A stranger writes any bytes into the folder of a store, the right hashes included. What a store says about its
repositories is the stranger's word, but reading it, ranking it and merging it changes, reads and runs nothing
else, and ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import duckdb
import pytest
from measuring import measure_repositories
from small_world import AS_OF
from star_store import NAME, STARS, build_store, measure_whole

from advisor.collect.github.state import CollectionState
from advisor.collect.many import merge
from advisor.collect.many.queue import Queue
from advisor.domain.files import data_folder
from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import checks, compaction, database, reading, writing
from advisor.facts.facts_view import FactsView
from advisor.measure import cache, whole_store

FILE = "counts/own__lib.parquet"


def change_manifest(store, change):
    path = store / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def replace_facts(store, sql, rows=1, **changes):
    """Replace the fact file by the rows of a query, with the right hash in the manifest."""
    (store / FILE).unlink()
    with duckdb.connect() as db:
        db.execute(f"COPY ({sql}) TO '{store / FILE}' (FORMAT parquet)")
    data = (store / FILE).read_bytes()
    entry = {"rows": rows, "sha256": hashlib.sha256(data).hexdigest(), **changes}
    change_manifest(store, lambda m: m["files"].update({FILE: entry}))


def list_tree(folder):
    """Return every path below a folder with its content; the lock of a store has none."""
    return {
        str(p.relative_to(folder)): p.readlink() if p.is_symlink() else p.is_file() and p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.name != ".lock" and not p.is_fifo()
    }


# Everything that opens a store, as a reader or as a writer.
COMMANDS = {
    "open": reading.open_store,
    "benchmarks": reading.open_benchmarks,
    "merge it": lambda store: merge.merge_stores(store.parent / "mine", [store]),
    "merge into it": lambda store: merge.merge_stores(store, [build_store(store.parent / "other")]),
    "compact": compaction.compact_store,
    "write": lambda store: writing.write_rows(store, "counts", "own/other", []),
    "measure": lambda store: whole_store.measure_store(reading.open_store(store), [AS_OF]),
}
PARTITION = "counts/partition-0123456789abcdef.parquet"
FOREIGN_NAMES = (
    "releases/../../../.bashrc",
    "counts/../evil/own__lib.parquet",
    "/tmp/own__lib.parquet",
    "evil/own__lib.parquet",
    "counts/own__lib.parquet\n",
    "counts/own__lib@a/b.parquet",
    "counts/own__...parquet",
    "counts/own__*.parquet",
    "counts/own.parquet",
    "manifest.json",
    ".queue/plan.json",
    PARTITION,
    "",
    "\ud800",
)


@pytest.mark.parametrize(("place", "name"), [
    (place, name) for place in ("files", "in", "replaced") for name in FOREIGN_NAMES
    if (place, name) != ("in", PARTITION)  # the name that belongs there
])  # fmt: skip
def test_a_name_outside_the_store_is_refused(store, place, name):
    """Attack: a manifest names `releases/../../../.bashrc`, and a merge writes it. Defence: one pattern."""

    def change(manifest):
        entry = manifest["files"][FILE]
        if place == "files":
            manifest["files"][name] = entry
        elif place == "in":
            entry["in"] = name
            manifest["partitions"] = {name: {"rows": 1, "sha256": entry["sha256"]}}
        else:
            entry["in"] = PARTITION
            manifest["partitions"] = {PARTITION: {"rows": 1, "sha256": entry["sha256"], "replaced": [name]}}

    change_manifest(store, change)
    for command in COMMANDS.values():
        with pytest.raises(FactsError, match=r"is damaged .*expected TABLE/"):
            command(store)


def test_a_merge_writes_nothing_outside_the_store(store, tmp_path):
    mine = tmp_path / "home" / "mine"
    change_manifest(store, lambda m: m["files"].update({"releases/../../x": m["files"][FILE]}))
    (store / "releases").mkdir()
    shutil.copy(store / FILE, tmp_path / "x")
    with pytest.raises(FactsError, match="expected TABLE/"):
        merge.merge_stores(mine, [store])
    assert not mine.parent.exists()


@pytest.mark.parametrize("place", [
    FILE, "counts", "manifest.json", ".lock", "measurements", "measurements.json.gz", "releases", ".queue",
    ".queue/parts", ".collection", "counts/own__other.parquet",
])  # fmt: skip
@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_is_refused(store, tmp_path, place, command):
    """Attack: a file or folder of the store is a link elsewhere. Defence: a store has no links."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.parquet").write_text("mine")
    link = store / place
    link.parent.mkdir(exist_ok=True)
    if link.exists():
        link.rename(elsewhere / "moved")
    link.symlink_to(elsewhere / ("moved" if (elsewhere / "moved").exists() else "x.parquet"))
    before = list_tree(elsewhere)
    with pytest.raises(FactsError, match="a store has no links and no special files"):
        COMMANDS[command](store)
    assert list_tree(elsewhere) == before


@pytest.mark.parametrize("open_state", [
    lambda store: Queue(store).lock_run().__enter__(), CollectionState,
], ids=["queue", "state"])  # fmt: skip
def test_a_collection_into_a_store_with_links_is_refused(store, tmp_path, open_state):
    for place in (".queue", ".collection"):
        (store / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FactsError, match="a store has no links"):
        open_state(store)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", [FILE, "manifest.json", "measurements.json.gz"])
def test_a_fifo_does_not_block(store, command, place):
    """Attack: a reader waits for ever for a FIFO. Defence: only regular files are opened."""
    (store / place).unlink(missing_ok=True)
    os.mkfifo(store / place)
    with pytest.raises(FactsError, match="no special files"):
        COMMANDS[command](store)


@pytest.mark.parametrize("folder", [
    "day=2026-01-01/author=5/value=7", "st[1]ore", "st*", "s?ore", "[!a]tore", "it's", "a\\b", "{a,b}", "**",
])  # fmt: skip
def test_the_name_of_a_folder_changes_no_measurement(folder, tmp_path, monkeypatch):
    """Attack: DuckDB takes columns from `value=7/`, or reads `st1ore`. Defence: a path is only a name."""
    for decoy in ("st1ore", "store", "stare", "bb"):
        build_store(tmp_path / decoy, [{**STARS[0], "value": 999.0}])
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
    path = build_store(tmp_path / folder / "facts")
    assert [
        (r["value"], str(r["day"])) for r in reading.read_rows(reading.open_store(path), "counts", NAME)
    ] == [(3.0, "2024-05-31")]
    expected = None
    for step in (lambda: None, lambda: compaction.compact_store(path), lambda: measure_whole(path)):
        step()
        opened = reading.open_store(path)
        measurements, damages = measure_repositories(opened, [NAME], opened.as_of)
        assert (measurements[NAME]["stars"].value, damages) == (3.0, [])
        expected = expected or measurements
        assert measurements == expected
    assert cache.read_store_measurements(opened, [NAME], opened.as_of) == expected
    merge.merge_stores(tmp_path / folder / "mine", [path])
    assert (
        reading.read_rows(reading.open_store(tmp_path / folder / "mine"), "counts", NAME)[0]["value"] == 3.0
    )


@pytest.mark.parametrize("sql", [
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "COPY (SELECT 1) TO '/tmp/advisor-attack.parquet'",
    "ATTACH '/tmp/advisor-attack.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')",
    "SET memory_limit = '1TB'",
    "SET enable_external_access = true",
])  # fmt: skip
def test_sql_reaches_nothing_outside_the_store(store, sql):
    """Attack: SQL in a name that some query does not quote. Defence: the connection is locked."""
    opened = reading.open_store(store)
    with FactsView(opened, (NAME,), opened.as_of).connection as db, pytest.raises(duckdb.Error):
        db.execute(sql).fetchall()


def test_every_connection_and_every_path_comes_from_one_module():
    calls = ("duckdb.connect(", "read_parquet(", "read_json(", "read_csv(", "parquet_scan(", "COPY (")
    sources = {
        p: p.read_text()
        for p in data_folder().parent.joinpath("advisor").rglob("*.py")
        if p.name != "database.py" and "spark" not in p.parts
    }
    in_comments = ("def read_json(", "read_json(response", "read_json(check_status")
    for path, text in sources.items():
        for allowed in in_comments:
            text = text.replace(allowed, "")  # noqa: PLW2901 - the rest of the same text
        assert not [call for call in calls if call in text], path


def test_a_file_larger_than_its_rows_is_not_hashed(store):
    """Attack: a sparse file of 1 TB takes hours to hash. Defence: the rows in the manifest bound its size."""
    with (store / FILE).open("r+b") as file:
        file.truncate(2**40)
    (damage,) = reading.verify_files(reading.open_store(store), [NAME])
    assert "more than the" in damage.reason
    with pytest.raises(FactsError, match="more than the"):
        merge.merge_stores(store.parent / "mine", [store])


MANY = (
    "SELECT 'own/lib' AS repository, 'test' AS source, DATE '2024-06-01' AS retrieved_at, 'stars' AS metric,"
    " DATE '2024-05-31' AS day, 3.0 AS value FROM range({count})"
)


def test_more_rows_than_the_manifest_says_are_refused(store):
    """Attack: 15 kB of Parquet have 100 million equal rows. Defence: the end of each file is read first."""
    replace_facts(store, MANY.format(count=3_000_000), rows=1)
    opened = reading.open_store(store)
    for command in (
        lambda: measure_repositories(opened, [NAME], opened.as_of),
        lambda: reading.read_rows(opened, "counts", NAME),
        lambda: whole_store.measure_store(opened, [opened.as_of]),
        lambda: compaction.compact_store(store),
    ):
        with pytest.raises(FactsError, match=r"has 3,000,000 rows, but manifest\.json says 1"):
            command()


@pytest.mark.parametrize("rows", [checks.MAX_ROWS + 1, 10**30, -1, 1.5, "1", None, True, [1]])
def test_a_manifest_has_a_possible_number_of_rows(store, rows):
    change_manifest(store, lambda m: m["files"][FILE].update(rows=rows))
    with pytest.raises(FactsError, match="is damaged"):
        reading.open_store(store)


def test_large_texts_end_at_the_memory_limit(store):
    """Attack: a short file becomes gigabytes in memory. Defence: DuckDB has a limit and spills nowhere."""
    replace_facts(store, MANY.format(count=2000).replace("'test'", "repeat('x', 1000000)"), rows=2000)
    opened = reading.open_store(store)
    with pytest.raises(FactsError, match=r"cannot be read: Out of Memory"):
        reading.open_views(opened, [NAME], opened.as_of, {"memory_limit": "200MB"})


def test_a_manifest_has_a_size(store, monkeypatch):
    monkeypatch.setattr(checks, "MAX_MANIFEST_BYTES", 10)
    with pytest.raises(FactsError, match="more than the 10 that it can have"):
        reading.open_store(store)


def test_a_path_is_one_literal(tmp_path):
    (tmp_path / "a[1]").mkdir()
    assert database.path_sql(tmp_path / "a[1]" / "it's*") == f"'{tmp_path.resolve()}/a[[]1]/it''s[*]'"


def test_the_next_writer_removes_what_a_killed_one_left(store):
    (store / "releases").mkdir()
    left = [store / p for p in (".draft.a", "counts/.draft.b", "counts/tmp_.draft.b", "releases/.draft.c")]
    for path in left:
        path.write_bytes(b"half")
    writing.write_rows(store, "counts", "own/other", [])
    assert not [path for path in left if path.exists()]
    assert reading.read_rows(reading.open_store(store), "counts", NAME)


def test_facts_that_duckdb_cannot_measure_are_one_line(monkeypatch, capsys):
    """Attack: values beyond the range or the memory of a query. Defence: one line, no traceback."""
    from advisor import cli

    def fail():
        with database.open_database() as db:
            db.execute("SELECT DATE '9999-12-31' + INTERVAL '300000 years'")

    monkeypatch.setattr(cli, "load", lambda _: None)
    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr("sys.argv", ["advisor", "rank"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("advisor: the facts cannot be measured: ")
    monkeypatch.setattr(cli, "app", lambda: 1 / 0)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith(
        "advisor: internal error: ZeroDivisionError: division by zero ("
    )


def test_what_reads_a_store_creates_none(tmp_path):
    """`advisor compact nope` created the folder."""
    for command in (compaction.compact_store, reading.open_store, measure_whole,
                    lambda path: merge.merge_stores(tmp_path / "mine", [path])):  # fmt: skip
        with pytest.raises(SnapshotMissing):
            command(tmp_path / "nope")
    assert list(tmp_path.iterdir()) == []


def test_a_path_below_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    assert reading.open_benchmarks(tmp_path / "file" / "facts") is None
    with pytest.raises(SnapshotMissing, match="no snapshot at"):
        reading.open_store(tmp_path / "file" / "facts")
