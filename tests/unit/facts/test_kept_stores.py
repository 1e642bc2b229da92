"""Each version of the schema has a store beside this file, which every later version reads.

Dated counts cannot be collected again. So a new `SCHEMA_VERSION` comes with a migration, and with a store of its own.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from measuring import measure_repositories

from advisor.facts import reading
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
