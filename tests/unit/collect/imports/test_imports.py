"""import-counts and import-support: they import all rows or none, and a second import changes nothing."""

from __future__ import annotations

from datetime import date

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.imports.counts import import_counts
from advisor.collect.imports.support import import_support
from advisor.errors import InputError
from advisor.facts import manifest, reading

DAY = date(2024, 6, 1)
HEAD = "date,repository,metric,value,source,definition"
ROW = "2024-05-01,a/b,stars,12,list@1,stargazers"
SUPPORT = (
    "repository,family,vendor,family_released_on,supported_on,known_until,evidence_path,evidence_commit,source",
    "a/b,F,V,2024-01-01,2024-01-05,2024-02-01,p,c,s",
    "a/b,G,V,2024-01-01,,2024-02-01,,,s",
)


def run(tmp_path, *lines, importer=import_counts):
    file = tmp_path / "in.csv"
    file.write_text("\n".join(lines) + "\n")
    return importer(file, tmp_path / "s", retrieved_on=DAY)


def test_second_import_changes_nothing(tmp_path):
    assert run(tmp_path, HEAD, ROW) == {"a/b": 1}
    before = (tmp_path / "s" / "counts" / "a__b.parquet").read_bytes()
    run(tmp_path, HEAD, ROW)
    assert (tmp_path / "s" / "counts" / "a__b.parquet").read_bytes() == before
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "counts", "a/b")
    assert [(r["value"], str(r["day"]), r["source"]) for r in rows] == [(12.0, "2024-05-01", "list@1")]


@pytest.mark.parametrize("row", [
    "2024-15-01,a/b,stars,12,s,d", "2024-05-01,ab,stars,12,s,d", "2024-05-01,a/b,fame,12,s,d",
    "2024-05-01,a/b,stars,many,s,d", "2024-05-01,a/b,stars,-1,s,d", "2024-05-01,a/b,stars,,s,d",
    "2024-05-01,a/b,stars,12,,d", ",a/b,stars,12,s,d", "2024-05-01,a/b,stars,nan,s,d",
])  # fmt: skip
def test_wrong_row_is_an_error_that_writes_nothing(tmp_path, row):
    with pytest.raises(InputError, match=r"in\.csv:3"):
        run(tmp_path, HEAD, ROW, row)
    assert not (tmp_path / "s").exists()


def test_error_names_the_missing_column(tmp_path):
    with pytest.raises(InputError, match="definition"):
        run(tmp_path, HEAD.removesuffix(",definition"), "x")


def test_support(tmp_path):
    assert run(tmp_path, *SUPPORT, importer=import_support) == {"a/b": 2}
    rows = reading.read_rows(reading.open_store(tmp_path / "s"), "model_support", "a/b")
    assert [r["supported_on"] for r in rows] == [date(2024, 1, 5), None]


def test_value_outside_its_bounds_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"in\.csv:2: value 12.0 is not between low and high"):
        run(tmp_path, f"{HEAD},low,high", f"{ROW},13,20")


def test_error_names_an_unreadable_or_empty_file(tmp_path):
    with pytest.raises(InputError, match="the file has no rows"):
        run(tmp_path, HEAD)
    with pytest.raises(InputError, match="nowhere"):
        import_counts(tmp_path / "nowhere.csv", tmp_path / "s", retrieved_on=DAY)


@pytest.mark.parametrize(("name", "lines"), [("import-counts", (HEAD, ROW)), ("import-support", SUPPORT)])
def test_commands_print_the_number_of_rows(tmp_path, name, lines):
    load(name)
    file, store = tmp_path / "in.csv", tmp_path / "s"
    file.write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(app, [name, str(file), "--store", str(store), "--retrieved-on", "2024-06-01"])
    assert (result.exit_code, result.output) == (0, f"a/b: {len(lines) - 1} rows\n")
    assert manifest.read_manifest(store)["files"]
