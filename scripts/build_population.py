"""Build the population: the newest figures of each library on the public lists, from their panel.

    python scripts/build_population.py PANEL.parquet -o data/population/population.parquet
    python scripts/build_population.py PANEL.parquet -o then.parquet --until 2022-01-01 --only names.txt

The panel has one row per repository, list and month, as `advisor.outlook.panel` describes it, with package
ids. Only the lists in ``data/population/lists.toml`` count. A library has one row: its newest figures, the
change of its totals over 90 and 365 days, scaled to exactly these days, its packages and categories, and
its outlook as of the day of the figures. `advisor.population` reads the file.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from advisor.domain.files import data_folder
from advisor.facts.database import copy_sql, parquet_sql, quote
from advisor.outlook import compute, forecast, model, panel
from advisor.outlook.features import LAGS
from advisor.population.library import COLUMN_TYPES, ECOSYSTEMS, HORIZONS, LAG_DAYS, TOTALS
from advisor.population.reading import package_key

LISTED_DAYS = 100  # a library is in a category if the list had it at most so long before its newest month
OUTLOOK_DAYS = 365  # an outlook from older figures says nothing about today
NO_RELEASE_DAY = pd.Timestamp("2021-12-15")
"""The lists give this day to packages whose newest version on PyPI is older (six of eight that were looked up)."""


def read_monthly_rows(
    panel_file: Path, lists: dict[str, Any], until: date | None = None, only: Sequence[str] = ()
) -> duckdb.DuckDBPyConnection:
    """Return a database with the table ``monthly``: the panel's rows with today's name of each repository.

    Args:
        panel_file: the panel.
        lists: what ``lists.toml`` says.
        until: leave out rows of later days, but not what they say about names.
        only: leave out other repositories; empty: all of them.
    """
    names = {entry.get("panel_name", name): name for name, entry in lists.items()}
    db = duckdb.connect()
    db.execute("CREATE TABLE lists (panel_name VARCHAR, list VARCHAR)")
    db.executemany("INSERT INTO lists VALUES (?, ?)", list(names.items()))
    db.execute(
        "CREATE TABLE rows AS SELECT p.* REPLACE (l.list AS list) FROM"
        f" {parquet_sql([panel_file])} AS p JOIN lists AS l ON l.panel_name = p.list"
        " WHERE repo IS NOT NULL AND snap IS NOT NULL AND regexp_full_match(repo, '[^/ ]+/[^/ ]+')"
    )
    db.create_function("today", _follow(_read_renames(db)), ["VARCHAR"], "VARCHAR")
    db.execute(
        "CREATE TABLE renames AS SELECT repo, today(repo) AS name FROM (SELECT DISTINCT repo FROM rows)"
    )
    db.execute("CREATE TABLE monthly AS SELECT r.* REPLACE (n.name AS repo), r.repo AS listed_as"
               " FROM rows AS r JOIN renames AS n USING (repo)")  # fmt: skip
    db.execute("DELETE FROM monthly WHERE snap > $1", [until or date.max])
    if only:
        db.execute("CREATE TABLE wishes AS SELECT lower(unnest($1)) AS name", [list(only)])
        names = "SELECT name FROM renames WHERE lower(repo) IN (FROM wishes) OR lower(name) IN (FROM wishes)"
        db.execute(f"DELETE FROM monthly WHERE repo NOT IN ({names})")
    return db


def _read_renames(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return name in lower case → the name to use: the list's newer name, or the newest spelling."""
    spellings = db.execute("SELECT lower(repo), arg_max(repo, snap) FROM rows GROUP BY 1").fetchall()
    newer = db.execute(
        "SELECT lower(repo), arg_max(updated_github_id, snap) FROM rows"
        " WHERE regexp_full_match(updated_github_id, '[^/ ]+/[^/ ]+')"
        " AND lower(updated_github_id) <> lower(repo) GROUP BY 1"
    ).fetchall()
    return dict(spellings) | dict(newer)


def _follow(renames: dict[str, str]) -> Any:
    def today(name: str) -> str:
        seen = set()
        while name.lower() in renames and name.lower() not in seen:
            seen.add(name.lower())
            name = renames[name.lower()]
        return name

    return today


def read_ids(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return one row per repository: packages, licence, categories, earlier names and the list of its day."""
    ids = ", ".join(
        f"arg_max({name}_id, snap) FILTER ({name}_id IS NOT NULL) AS {name}" for name in ECOSYSTEMS
    )
    return db.execute(
        f"""
        WITH newest AS (SELECT list, max(snap) AS last FROM monthly GROUP BY list)
        SELECT repo AS repository, {ids}, arg_max(license, snap) FILTER (license IS NOT NULL) AS licence,
               list_sort(list(DISTINCT list || '/' || category)
                   FILTER (category IS NOT NULL AND snap >= last - INTERVAL {LISTED_DAYS} DAY)) AS categories,
               list_sort(list(DISTINCT listed_as) FILTER (lower(listed_as) <> lower(repo))) AS formerly
        FROM monthly JOIN newest USING (list) GROUP BY repo ORDER BY repo
        """
    ).df()


def read_series(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the rows as `panel.read_panel` does, under today's names."""
    columns = []
    for name, (column, aggregate) in panel.COLUMNS.items():
        kind = "TIMESTAMP" if name in panel.DATES else "VARCHAR" if aggregate != "max" else "DOUBLE"
        columns.append(f"{aggregate}({column}::{kind}) AS {name}")
    columns.append("max(pypi_monthly_downloads::DOUBLE) AS downloads_pypi")
    return db.execute(
        f"SELECT {', '.join(columns)} FROM monthly GROUP BY repo, snap ORDER BY repo, snap"
    ).df()


def fill_zeros(series: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the zeros that the lists leave blank in the numbers of issues.

    A blank is 0 only in a row that knows the commits, and closed issues never fall back to 0. A repository
    with open and never a closed issue keeps its issues elsewhere: the number counts change requests.
    """
    filled = series.copy()
    is_whole = filled.last_commit.notna()
    groups = filled.groupby("repository", sort=False)
    was_closed = groups.closed_issues.transform(lambda column: column.ffill()).notna()
    ever_closed = groups.closed_issues.transform("max").fillna(0) > 0
    filled.loc[is_whole & ~was_closed & ever_closed & filled.closed_issues.isna(), "closed_issues"] = 0.0
    filled.loc[is_whole & filled.closed_issues.notna() & filled.open_issues.isna(), "open_issues"] = 0.0
    elsewhere = ~ever_closed & (filled.change_requests.fillna(0) > 0)
    filled.loc[elsewhere, ["open_issues", "closed_issues"]] = float("nan")
    return filled


def clear_lost_dependents(series: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without numbers of dependents under half of an earlier one.

    Dependents hardly fall: such a row of a list lacks one of its sources, for example the repositories.
    """
    largest = series.groupby("repository", sort=False).dependents.cummax()
    return series.assign(dependents=series.dependents.where(series.dependents * 2 >= largest))


def clear_false_releases(series: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without the day of a release that was none, `NO_RELEASE_DAY`."""
    days = pd.to_datetime(series.last_release).dt.normalize()
    return series.assign(last_release=series.last_release.where(days != NO_RELEASE_DAY))


def select_newest(series: pd.DataFrame) -> pd.DataFrame:
    """Return the best row of each repository's newest `LISTED_DAYS`.

    The newest that knows the last commit; else the newest with stars; else the newest. A run of a list
    sometimes fails for some of its libraries and leaves most columns blank.
    """
    newest = series.groupby("repository", sort=False).day.transform("max")
    recent = series[series.day >= newest - pd.Timedelta(days=LISTED_DAYS)]
    order = recent.assign(is_whole=recent.last_commit.notna(), has_stars=recent.stars.notna())
    order = order.sort_values(["repository", "is_whole", "has_stars", "day"])
    best = order.groupby("repository", sort=True).tail(1)
    return best.drop(columns=["is_whole", "has_stars"]).reset_index(drop=True)


def settle_packages(table: pd.DataFrame) -> pd.DataFrame:
    """Return the libraries with each package at one repository only.

    Lists give a package to several: to an earlier name of the repository, to a fork, or by mistake (faiss has
    pymilvus). `_find_owner` says which one keeps it. The others lose it, and with it their downloads; with a
    package of PyPI also the downloads there and the dependents.
    """
    result = table.copy()
    for ecosystem in ECOSYSTEMS:
        columns = [ecosystem, "downloads", *(f"downloads_{days}d" for days in LAG_DAYS)]
        if ecosystem == "pypi":
            columns += ["downloads_pypi", "dependents", *(f"dependents_{days}d" for days in LAG_DAYS)]
        keys = table[ecosystem].map(partial(package_key, ecosystem), na_action="ignore")
        for key, rows in table[keys.notna()].groupby(keys):
            if len(rows) > 1:
                owner = _find_owner(ecosystem, _plain(str(key)), rows)
                result.loc[[index for index in rows.index if index != owner], columns] = None
    return result


def _find_owner(ecosystem: str, package: str, rows: pd.DataFrame) -> Any:
    """Return the index of the repository that a package belongs to; None: it cannot be told.

    Figures more than `LISTED_DAYS` older than the newest show an earlier name. Then the name counts: a package of
    the same name on PyPI, the same name, a name that contains the other. Then commits more than `LISTED_DAYS` newer.
    """
    left = rows[_is_recent(rows.day)]
    names = left.repository.map(lambda name: _plain(name.split("/")[1]))
    closeness = names.map(lambda name: 2 if name == package else int(name in package or package in name))
    if ecosystem != "pypi":
        closeness = closeness.where(left.pypi.fillna("").map(_plain) != package, 3)
    left = left[closeness == closeness.max()]
    left = left[_is_recent(left.last_commit)]
    return left.index[0] if len(left) == 1 else None


def _is_recent(days: pd.Series) -> pd.Series:
    return days >= days.max() - pd.Timedelta(days=LISTED_DAYS)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def add_changes(series: pd.DataFrame, newest: pd.DataFrame) -> pd.DataFrame:
    """Add the change of each total over `LAG_DAYS`, from the nearest older row that `LAGS` allows."""
    result = newest.copy()
    older = series[["repository", "day", *TOTALS]].rename(columns={"day": "then"}).sort_values("then")
    for lag in LAG_DAYS:
        targets = newest[["repository", "day"]].assign(at=newest.day - pd.Timedelta(days=lag))
        then = pd.merge_asof(
            targets.reset_index().sort_values("at"), older, left_on="at", right_on="then", by="repository",
            direction="nearest", tolerance=pd.Timedelta(days=LAGS[lag]),
        ).set_index("index").sort_index()  # fmt: skip
        span = (then.day - then.then).dt.days
        for name in TOTALS:
            result[f"{name}_{lag}d"] = (newest[name] - then[name]) / span * lag
    return result


def add_outlooks(series: pd.DataFrame, newest: pd.DataFrame, *, is_past: bool) -> pd.DataFrame:
    """Add the outlook and its interval for each horizon; NaN: the outlook abstains or the figures are old.

    The outlook of a past day comes only from trees that did not see the library.
    """
    trees = model.load_model(data_folder() / "reference" / "outlook.json")
    values = compute.compute_features(series, newest)
    recent = newest.day >= newest.day.max() - pd.Timedelta(days=OUTLOOK_DAYS)
    rows = []
    features = values.to_dict("records")
    names = [(name,) if is_past else () for name in newest.repository]
    predicted = forecast.predict_outlooks(trees, features, HORIZONS, [()] * len(features), names)
    for outlooks, is_recent in zip(predicted, recent, strict=True):
        known = {o.horizon_months: o for o in outlooks if is_recent and not o.abstained}
        rows.append(
            {
                f"outlook_{months}{suffix}": getattr(known.get(months), field, None)
                for months in HORIZONS
                for suffix, field in (("", "probability_inactive"), ("_low", "low"), ("_high", "high"))
            }
        )
    return pd.concat([newest, pd.DataFrame(rows, index=newest.index, dtype=float)], axis=1)


def build(
    panel_file: Path,
    lists: dict[str, Any],
    output: Path,
    until: date | None = None,
    only: Sequence[str] = (),
) -> int:
    """Write the file; return the number of libraries (see `read_monthly_rows`)."""
    db = read_monthly_rows(panel_file, lists, until, only)
    series = read_series(db)
    filled = clear_false_releases(clear_lost_dependents(fill_zeros(series)))
    newest = select_newest(filled)
    table = add_outlooks(series, add_changes(filled, newest), is_past=until is not None).drop(
        columns="category"
    )
    table = table.rename(columns={"created": "created_on"})
    table = settle_packages(table.merge(read_ids(db), on="repository", validate="one_to_one"))
    sources = db.execute(
        "SELECT repo AS repository, snap AS day,"
        " arg_max(list, (last_commit_pushed_at IS NOT NULL, list)) AS source FROM monthly GROUP BY repo, snap"
    ).df()
    table = table.merge(sources, on=["repository", "day"], validate="one_to_one")
    db.register("library", table)
    columns = ", ".join(f"{_value(name, kind)}::{kind} AS {name}" for name, kind in COLUMN_TYPES.items())
    notes = ", ".join(f"{key}: {quote(value)}" for key, value in NOTES.items())
    sql = copy_sql(f"SELECT {columns} FROM library ORDER BY lower(repository)", output)
    db.execute(sql.removesuffix(")") + f", COMPRESSION_LEVEL 19, KV_METADATA {{{notes}}})")
    return len(table)


NOTES = {
    "licence": "CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/",
    "sources": "the lists in lists.toml; see README.md",
}


def _value(name: str, kind: str) -> str:
    """Return SQL of a column: whole numbers, changes with one digit, chances with four."""
    if kind == "DOUBLE":
        return f"round({name}, {4 if name.startswith('outlook') else 1})"
    return f"round({name})" if kind == "BIGINT" else name


def main() -> None:
    """Read the panel and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--lists", type=Path, default=data_folder() / "population" / "lists.toml")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--until", type=date.fromisoformat, help="the newest figures on this day")
    parser.add_argument("--only", type=Path, help="a file with the repositories to write, one a line")
    options = parser.parse_args()
    only = options.only.read_text(encoding="utf-8").split() if options.only else ()
    lists = tomllib.loads(options.lists.read_text(encoding="utf-8"))
    count = build(options.panel, lists, options.output, options.until, only)
    print(f"wrote {options.output}: {count} libraries, {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
