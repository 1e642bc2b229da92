"""Each version of the schema has a store beside this file, which every later version reads.

Dated counts cannot be collected again. So a new `SCHEMA_VERSION` comes with a migration, and with a store of its own.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest
from measuring import measure_repositories

from advisor.facts import compaction, reading, writing
from advisor.facts.manifest import SCHEMA_VERSION
from advisor.facts.store import parse_file_path
from advisor.facts.tables import TABLES

FOLDER = Path(__file__).parent
NAME = "OptimalScale/LMFlow"
DAY = date(2025, 6, 30)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_store_of_each_version_is_read(version):
    store = reading.open_store(FOLDER / f"store_{version}")
    assert store.repositories() == [NAME]
    assert reading.verify_files(store, [NAME]) == []
    rows = {
        "contributions": 423,
        "threads": 531,
        "counts": 140,
        "releases": 11,
        "api_names": 461,
        "installs": 30,
    }
    for table, number in rows.items():
        parts = [parse_file_path(file)[1] for file in store.files[NAME] if file.startswith(f"{table}/")]
        assert sum(len(reading.read_rows(store, table, NAME, part)) for part in parts) == number, table
    today, damages = measure_repositories(store, [NAME], store.as_of)
    assert not damages
    assert today[NAME]["install_packages"].value == 30
    past = measure_repositories(store, [NAME], DAY)[0][NAME]
    assert past["code_changes_commits"].value == 165
    assert past["contributors"].value == 7
    assert past["days_since_last_commit"].value == 46


def test_the_kept_store_of_version_1_has_dated_counts_and_most_tables():
    folder = FOLDER / "store_1"
    assert len({file.parent.name for file in folder.glob("*/*.parquet")} & set(TABLES)) == 12
    with duckdb.connect() as db:  # the same commits without advisor
        commits = db.execute(
            f"SELECT sum(commits) FILTER (day > DATE '{DAY}' - 365), DATE '{DAY}' - max(day)"
            f" FROM read_parquet('{folder}/contributions/*.parquet') WHERE NOT is_bot AND day <= DATE '{DAY}'"
        ).fetchone()
    assert commits == (165, 46)


def test_a_compacted_store_has_the_same_rows_of_every_table(tmp_path):
    """The table of installs has a column `part` of its own, on which the compaction ended."""
    before = reading.open_store(shutil.copytree(FOLDER / "store_1", tmp_path / "store"))
    rows = {file: sorted(map(str, read_file_rows(before, file))) for file in before.files[NAME]}
    compaction.compact_store(before.path)
    after = reading.open_store(before.path)
    assert any(name.startswith("installs/partition-") for name in after.partitions)
    assert {file: sorted(map(str, read_file_rows(after, file))) for file in after.files[NAME]} == rows
    (file,) = (file for file in after.files[NAME] if file.startswith("installs/"))
    writing.write_rows(after.path, "installs", NAME, [], part=parse_file_path(file)[1])
    emptied = reading.open_store(after.path)
    assert measure_repositories(emptied, [NAME], emptied.as_of)[0][NAME]["install_packages"].value is None
    compaction.compact_store(after.path)
    assert not any(name.startswith("installs/") for name in reading.open_store(after.path).partitions)


def read_file_rows(store, file):
    return reading.read_rows(store, file.partition("/")[0], NAME, parse_file_path(file)[1])
