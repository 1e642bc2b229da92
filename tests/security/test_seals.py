"""Measurements are believed only with the seal of this machine, or as bundled."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil

import duckdb
import pytest
from star_store import NAME, measure_whole

from advisor.answers import recommend
from advisor.answers.question import Request, read_request
from advisor.cli.measure_facts import measure_facts
from advisor.collect.many import merge
from advisor.domain.files import data_folder
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.measure import cache, seals, whole_store

SNAPSHOT = data_folder() / "snapshots" / "dataframes"


@pytest.fixture
def snapshot(tmp_path):
    """A copy of one bundled library's facts, with measurements by advisor on this machine."""
    path = tmp_path / "snapshot"
    merge.copy_repository("vaexio/vaex", reading.open_store(SNAPSHOT), path)
    measure_facts(path)
    return path


def rank(store):
    request = Request(domain="dataframes", store=store, repositories=("vaexio/vaex",))
    (first,) = recommend.recommend(read_request(request)).ranking
    return first


def forge(path):
    content = json.loads(gzip.decompress(path.read_bytes()))
    for row in content["measurements"]["vaexio/vaex"]:
        if row["metric"] == "contributors":
            row |= {"status": "measured", "value": 12345, "low": 12345, "high": 12345}
    path.write_bytes(gzip.compress(json.dumps(content).encode()))


def test_forged_measurements_are_not_believed(snapshot, tmp_path):
    """Attack: other numbers with the right key. Defence: only what this machine wrote is believed."""
    opened = reading.open_store(snapshot)
    facts = FactsView(opened, ("vaexio/vaex",), opened.as_of)
    assert cache.read_cached_measurements(facts) is not None
    expected = rank(snapshot)
    forge(snapshot / "measurements.json.gz")
    assert cache.read_cached_measurements(facts) is None
    assert rank(snapshot) == expected
    for seal in (b"", b"0" * 64, b"x" * 10**6):
        (snapshot / "measurements.json.gz.seal").write_bytes(seal)
        assert cache.read_cached_measurements(facts) is None


def test_a_seal_is_of_one_machine_one_name_and_one_content(store, tmp_path, monkeypatch):
    seals.write_with_seal(store / "a", b"1")
    assert seals.read_with_seal(store / "a") == b"1"
    for suffix in ("", ".seal"):
        shutil.copy(store / f"a{suffix}", store / f"b{suffix}")
    assert seals.read_with_seal(store / "b") is None, "another name"
    (store / "a").write_bytes(b"2")
    assert seals.read_with_seal(store / "a") is None, "another content"
    seals.write_with_seal(store / "a", b"2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other machine"))
    assert seals.read_with_seal(store / "a") is None, "no key yet"
    seals.write_with_seal(store / "c", b"3")
    assert (seals.read_with_seal(store / "a"), seals.read_with_seal(store / "c")) == (None, b"3")
    key = tmp_path / "other machine" / "advisor" / "measurements.key"
    assert key.stat().st_mode & 0o77 == 0, "only its owner reads the key"
    key.write_bytes(b"short")
    assert seals.read_with_seal(store / "c") is None


def test_without_a_place_for_the_key_nothing_is_believed(store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    seals.write_with_seal(store / "a", b"1")
    assert (store / "a").read_bytes() == b"1"
    assert not (store / "a.seal").exists()
    assert seals.read_with_seal(store / "a") is None


def test_forged_measurements_of_a_whole_store_are_not_believed(store):
    """Attack: `advisor measure` takes a file with the right name as its own. Defence: each has a seal."""
    measure_whole(store)
    opened = reading.open_store(store)
    (file,) = (store / "measurements").glob("*.parquet")
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE t AS SELECT * REPLACE (9.0 AS value) FROM read_parquet('{file}')")
        db.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    assert cache.read_store_measurements(opened, [NAME], opened.as_of) is None
    assert whole_store.measure_store(opened, [opened.as_of]).reused_ranges == 0
    assert cache.read_store_measurements(opened, [NAME], opened.as_of)[NAME]["stars"].value == 3.0
    index = store / "measurements" / "index.json"
    index.write_text(index.read_text().replace(file.name, "../../x.parquet"))
    assert cache.measurement_files(opened, opened.as_of) is None
    (store / "measurements" / ".draft.killed").write_bytes(b"")
    measure_whole(store)
    names = {p.name for p in (store / "measurements").iterdir()}
    written = {"index.json", "facts.json", file.name}
    assert names == written | {f"{name}.seal" for name in written}


def test_bundled_measurements_have_the_bundled_hashes():
    """Attack: a changed file beside the bundled facts. Defence: its hash comes with advisor."""
    digests = json.loads((data_folder() / seals.DIGESTS_FILE).read_text())
    files = {
        f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("measurements.json.gz", "draws.json", "list_figures.json", "months.zip")
        for path in SNAPSHOT.parent.glob(f"*/{name}")
    }
    assert digests == files
    assert not list(SNAPSHOT.parent.rglob("*.seal"))


def test_a_changed_bundled_snapshot_is_measured(tmp_path, monkeypatch):
    copy = shutil.copytree(SNAPSHOT, tmp_path / "dataframes")
    assert seals.read_with_seal(copy / "measurements.json.gz"), "its content is known, wherever it is"
    expected = rank(copy)
    forge(copy / "measurements.json.gz")
    draws = json.loads((copy / "draws.json").read_text())
    (copy / "draws.json").write_text(json.dumps(draws).replace("0.", "0.9"))
    assert seals.read_with_seal(copy / "measurements.json.gz") is None
    assert seals.read_with_seal(copy / "draws.json") is None
    assert rank(copy) == expected
