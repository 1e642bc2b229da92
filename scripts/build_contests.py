"""Write the facts of the public contests: histories up to their outcomes, and the figures of public lists.

    python scripts/build_contests.py PANEL.parquet STORE…
    python scripts/build_contests.py PANEL.parquet --lists-only

Reads ``data/contests/contests.toml`` and writes, beside it, ``facts`` (a store) and ``lists`` (for each day of a
question or an outcome a file of `build_population.py`). STORE is a store of `advisor collect --git-only`; the
first store that has a candidate counts, and the bundled snapshots come last. A history ends on the day of its last
outcome. A candidate without a history has only the figures of lists. So has one whose newest commit is older than a
list says, because then the copy that was read is too old for the outcome; the script names both.
"""

from __future__ import annotations

import argparse
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from build_population import build

from advisor.domain.contests import Contest, contests_folder, load_contests
from advisor.domain.files import data_folder
from advisor.facts import reading
from advisor.facts.compaction import write_partition
from advisor.facts.database import open_database, parquet_sql, quote
from advisor.facts.manifest import write_manifest
from advisor.facts.store import file_path
from advisor.facts.tables import DAYS, columns
from advisor.population.reading import read_libraries

TABLES = ("contributions", "co_authorships", "counts", "releases", "repositories", "threads")
TOLERANCE = timedelta(days=62)  # between the newest commit of a list and of a history


@dataclass(frozen=True)
class History:
    """The facts of one candidate in a store.

    Attributes:
        spelling: the store's name of the repository.
        last_question, last_outcome: the last days of its contests.
    """

    name: str
    store: Path
    spelling: str
    last_question: date
    last_outcome: date

    def rows_sql(self, table: str) -> str:
        """Return SQL of its rows of a table from its git history, without those of later days.

        Nobody needs an issue or a change request after the question, and these are most of the rows.
        """
        file = self.store / file_path(table, self.spelling)
        end = self.last_question if table == "threads" else self.last_outcome
        values = {name: _value(name, kind, end) for name, kind in columns(table).items()}
        values["repository"] = quote(self.name)
        selection = ", ".join(f"{value} AS {name}" for name, value in values.items())
        empty = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
        rows = f"SELECT {empty} WHERE false UNION ALL BY NAME SELECT * FROM {parquet_sql([file])}"
        first_day = DAYS[table][0]
        return (
            f"SELECT {selection}, '' AS part FROM ({rows})"
            f" WHERE starts_with(source, 'git:') AND {first_day} <= DATE '{end}' + 1"
        )


def _value(name: str, kind: str, end: date) -> str:
    """Return SQL of a column: whole hours, and nothing after a day."""
    if kind == "TIMESTAMP":
        return f"CASE WHEN {name} < DATE '{end}' + 1 THEN date_trunc('hour', {name}) END"
    return name


def find_histories(contests: Sequence[Contest], stores: Sequence[Path], lists: Path) -> list[History]:
    """Return the candidates with a history that reaches their outcomes; name the others."""
    open_stores = [reading.open_store(path) for path in stores]
    spellings = [{n.lower(): n for n in store.repositories()} for store in open_stores]
    histories = []
    for name in sorted({name for contest in contests for name in contest.candidates}):
        days = [contest.day for contest in contests if name in contest.candidates]
        source = next((i for i, names in enumerate(spellings) if name.lower() in names), None)
        if source is None:
            print(f"{name}: no history")
            continue
        spelling = spellings[source][name.lower()]
        history = History(name, stores[source], spelling, max(days), later(max(days)))
        newest = newest_commit(history)
        library = read_libraries([name], lists / f"{history.last_outcome}.parquet").get(name.lower())
        seen = library.last_commit if library else None
        if newest is None or (seen and newest < seen - TOLERANCE):
            print(f"{name}: left out, the history ends on {newest}; a list saw a commit on {seen}")
            continue
        histories.append(history)
    return histories


def newest_commit(history: History) -> date | None:
    """Return the day of its newest commit up to the outcome."""
    with open_database([history.store]) as db:
        row = db.execute(f"SELECT max(day) FROM ({history.rows_sql('contributions')})").fetchone()
    newest: date | None = row[0] if row else None
    return newest


def write_store(histories: Sequence[History], target: Path) -> None:
    """Write the histories as a compact store."""
    shutil.rmtree(target, ignore_errors=True)
    files: dict[str, Any] = {}
    partitions: dict[str, Any] = {}
    for table in TABLES:
        own = [h for h in histories if (h.store / file_path(table, h.spelling)).exists()]
        (target / table).mkdir(parents=True)
        with open_database([target, *{h.store for h in own}]) as db:
            sql = " UNION ALL BY NAME ".join(h.rows_sql(table) for h in own)
            contents = write_partition(db, target, table, f"SELECT DISTINCT * FROM ({sql})")
        for partition, content in contents.items():
            files |= {file: {**entry, "in": partition} for file, entry in content.pop("holds").items()}
            partitions[partition] = content
    write_manifest(target, {"files": dict(sorted(files.items())), "partitions": partitions})


def later(day: date) -> date:
    """Return the day of the outcome."""
    return day.replace(year=day.year + 2)


def main() -> None:
    """Read the stores and the panel, and write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("stores", type=Path, nargs="*")
    parser.add_argument("--lists-only", action="store_true", help="leave the facts as they are")
    options = parser.parse_args()
    folder = contests_folder()
    contests = load_contests(folder)
    lists = tomllib.loads((data_folder() / "population" / "lists.toml").read_text(encoding="utf-8"))
    (folder / "lists").mkdir(exist_ok=True)
    for day in sorted({day for contest in contests for day in (contest.day, later(contest.day))}):
        names = [n for c in contests if day in {c.day, later(c.day)} for n in c.candidates]
        build(options.panel, lists, folder / "lists" / f"{day}.parquet", day, names)
    if options.lists_only:
        return
    bundled = sorted(p.parent for p in (data_folder() / "snapshots").glob("*/manifest.json"))
    histories = find_histories(contests, [*options.stores, *bundled], folder / "lists")
    write_store(histories, folder / "facts")
    print(f"{len(histories)} histories in {folder / 'facts'}")


if __name__ == "__main__":
    main()
