"""A store at an address is measured without Spark, and its measurements are written beside it."""

from __future__ import annotations

import re
import sys

import fsspec
import pytest
from small_world import AS_OF, NAMES, fill, rows
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.errors import InputError
from advisor.facts import reading
from advisor.measure.address import open_address
from advisor.measure.cache import read_store_measurements
from advisor.measure.whole_store import measure_store


@pytest.fixture
def bucket(tmp_path):
    """The facts of a small world at an address, in fsspec's file system in memory."""
    fill(tmp_path / "facts", rows())
    system = fsspec.filesystem("memory")
    system.put(f"{tmp_path}/facts", "/bucket/facts", recursive=True)
    yield system
    system.rm("/bucket", recursive=True)


def test_duckdb_measures_a_store_at_an_address(bucket, tmp_path):
    load(None)
    command = ["measure", "memory://bucket/facts"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert f"memory://bucket/facts: {len(NAMES)} repositories" in result.output
    again = CliRunner().invoke(app, command)
    assert re.search(r"(\d+) of \1 ranges unchanged", again.output)
    bucket.get("/bucket/facts", f"{tmp_path}/copy", recursive=True)
    copy, original = (reading.open_store(tmp_path / name) for name in ("copy", "facts"))
    measure_store(original, [AS_OF])
    measurements = read_store_measurements(copy, NAMES, copy.as_of)
    assert measurements is not None
    assert measurements == read_store_measurements(original, NAMES, AS_OF)


def test_an_address_that_nothing_here_can_read_says_what_to_install():
    """s3fs is not among the packages of the tests."""
    load(None)
    result = CliRunner().invoke(app, ["measure", "s3://bucket/facts"])
    assert isinstance(result.exception, InputError)
    assert "s3://bucket/facts cannot be read" in str(result.exception)
    assert "s3fs" in str(result.exception)


def test_an_address_without_fsspec_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)  # makes the import fail
    with pytest.raises(InputError, match=r"s3://bucket/facts is an address.*pip install fsspec"):
        open_address("s3://bucket/facts")
