"""import-counts and import-support: all or nothing, and twice is once."""

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


def test_twice_is_once(tmp_path):
    assert run(tmp_path, HEAD, ROW) == {"a/b": 1}
    before = (tmp_path / "s" / "counts" / "a__b.parquet").read_bytes()
    run(tmp_path, HEAD, ROW)
    assert (tmp_path / "s" / "counts" / "a__b.parquet").read_bytes() == before
    found = reading.read(reading.open_store(tmp_path / "s"), "counts", "a/b")
    assert [(r["value"], str(r["day"]), r["source"]) for r in found] == [(12.0, "2024-05-01", "list@1")]


@pytest.mark.parametrize("row", [
    "2024-15-01,a/b,stars,12,s,d", "2024-05-01,ab,stars,12,s,d", "2024-05-01,a/b,fame,12,s,d",
    "2024-05-01,a/b,stars,many,s,d", "2024-05-01,a/b,stars,-1,s,d", "2024-05-01,a/b,stars,,s,d",
    "2024-05-01,a/b,stars,12,,d", ",a/b,stars,12,s,d", "2024-05-01,a/b,stars,nan,s,d",
])  # fmt: skip
def test_a_wrong_row_is_named_and_nothing_is_written(tmp_path, row):
    with pytest.raises(InputError, match=r"in\.csv:3"):
        run(tmp_path, HEAD, ROW, row)
    assert not (tmp_path / "s").exists()


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(InputError, match="definition"):
        run(tmp_path, HEAD.removesuffix(",definition"), "x")


def test_support(tmp_path):
    assert run(tmp_path, *SUPPORT, importer=import_support) == {"a/b": 2}
    found = reading.read(reading.open_store(tmp_path / "s"), "model_support", "a/b")
    assert [r["supported_on"] for r in found] == [date(2024, 1, 5), None]


def test_a_figure_beside_its_own_bounds_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"in\.csv:2: value 12.0 does not lie between low and high"):
        run(tmp_path, f"{HEAD},low,high", f"{ROW},13,20")


def test_a_file_that_cannot_be_read_or_holds_nothing_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no row"):
        run(tmp_path, HEAD)
    with pytest.raises(InputError, match="nowhere"):
        import_counts(tmp_path / "nowhere.csv", tmp_path / "s", retrieved_on=DAY)


@pytest.mark.parametrize(("name", "lines"), [("import-counts", (HEAD, ROW)), ("import-support", SUPPORT)])
def test_the_commands_say_how_many_rows_came_in(tmp_path, name, lines):
    load(name)
    file, store = tmp_path / "in.csv", tmp_path / "s"
    file.write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(app, [name, str(file), "--store", str(store), "--retrieved-on", "2024-06-01"])
    assert (done.exit_code, done.output) == (0, f"a/b: {len(lines) - 1} rows\n")
    assert manifest.read_manifest(store)["files"]
