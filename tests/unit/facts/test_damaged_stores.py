"""Damaged stores are errors with advice; a missing cache is computed again."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil

import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows

from advisor.answers import coverage, recommend, shortlist
from advisor.answers.answer_cache import write_answer_cache
from advisor.answers.question import Request, read_request
from advisor.domain.files import data_folder
from advisor.errors import FactsError, InputError
from advisor.facts import compaction, reading, writing
from advisor.facts.facts_view import FactsView
from advisor.facts.manifest import SCHEMA_VERSION
from advisor.measure import cache, seals, whole_store
from advisor.measure.one_day import LOOKUP_TABLES, create_lookup_tables, measure_days

SNAPSHOT = data_folder() / "snapshots" / "dataframes"


@pytest.fixture
def store(tmp_path):
    return fill(tmp_path / "store", rows())


def change_manifest(store, **changes):
    manifest = json.loads((store.path / "manifest.json").read_text())
    (store.path / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def replace_file(store, file, content):
    """Replace the content of a file and its hash in the manifest."""
    from hashlib import sha256

    (store.path / file).write_bytes(content)
    manifest = json.loads((store.path / "manifest.json").read_text())
    manifest["files"][file]["sha256"] = sha256(content).hexdigest()
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    return reading.open_store(store.path)


def test_an_unknown_column_is_an_error(tmp_path):
    with pytest.raises(FactsError, match="unknown columns for table counts: valeu"):
        writing.write_rows(tmp_path, "counts", NAMES[0], [{"repository": NAMES[0], "valeu": 1}])


def test_manifests_of_another_version_and_damaged_ones_are_errors(store):
    change_manifest(store, schema=SCHEMA_VERSION + 1)
    with pytest.raises(
        FactsError,
        match=r"manifest\.json: the manifest has schema \d+, but this version reads schema \d+; collect",
    ):
        reading.open_store(store.path)
    start = f'{{"schema": {SCHEMA_VERSION}'
    for text in ("[", "[]", f"{start}}}", f'{start}, "files": 3}}'):
        (store.path / "manifest.json").write_text(text)
        with pytest.raises(FactsError, match=r"manifest\.json is damaged .*; collect the facts again"):
            reading.open_store(store.path)


def test_a_missing_file_excludes_only_its_repository(store):
    file = writing.file_path("counts", NAMES[1])
    (store.path / file).unlink()
    (damage,) = reading.verify_files(store, NAMES)
    assert (damage.repository, damage.reason) == (NAMES[1], "cannot be read (No such file or directory)")
    measurements, damages = measure_repositories(store, NAMES, AS_OF)
    assert (sorted(measurements), damages) == (sorted({*NAMES} - {NAMES[1]}), [damage])


def test_a_file_with_the_right_hash_that_is_not_parquet_is_an_error(store):
    file = writing.file_path("counts", NAMES[0])
    broken_store = replace_file(store, file, b"PAR1 and no more")
    with pytest.raises(FactsError, match=r"counts in .* cannot be read"):
        measure_repositories(broken_store, NAMES, AS_OF)
    with pytest.raises(FactsError, match=f"{file} is damaged"):
        reading.read_rows(broken_store, "counts", NAMES[0])


def test_a_ranking_with_only_damaged_files_names_them(tmp_path):
    store = reading.open_store(shutil.copytree(SNAPSHOT, tmp_path / "dataframes"))
    for file in store.files[store.repositories()[0]]:
        (store.path / file).unlink()
    with pytest.raises(FactsError, match=r"no candidate can be ranked: .*cannot be read"):
        recommend.recommend(
            read_request(
                Request(domain="dataframes", store=store.path, repositories=store.repositories()[:1])
            )
        )
    with pytest.raises(FactsError, match="cannot be read"):
        coverage.read_coverage(read_request(Request(domain="dataframes", store=store.path)))
    with pytest.raises(FactsError, match="cannot be read"):
        cache.write_measurement_cache(store)


def test_a_candidate_without_facts_yet_is_missing_with_the_date(tmp_path):
    first = reading.open_store(SNAPSHOT).first_day
    answer = recommend.recommend(read_request(Request(domain="dataframes", as_of=first)))
    assert answer.missing
    assert all(str(first) in reason for reason in answer.missing.values())


def read_measurements(store):
    return json.loads(gzip.decompress((store / "measurements.json.gz").read_bytes()))


def test_a_missing_cache_beside_a_snapshot_is_written_again(tmp_path):
    copy = shutil.copytree(SNAPSHOT, tmp_path / "dataframes")
    for file in ("measurements.json.gz", "draws.json"):
        (copy / file).unlink()
    write_answer_cache(reading.open_store(copy), 0)
    content = read_measurements(copy)
    assert content["measurements"].keys() == read_measurements(SNAPSHOT)["measurements"].keys()
    new_store = reading.open_store(copy)
    assert cache.read_cached_measurements(
        FactsView(new_store, tuple(new_store.repositories()), new_store.as_of)
    )
    assert (copy / "draws.json").is_file()


def test_damaged_measurements_of_a_whole_store_are_measured_again(store):
    whole_store.measure_store(store, [AS_OF])
    expected = cache.read_store_measurements(store, NAMES, AS_OF)
    for file in (store.path / cache.FOLDER).glob("*.parquet"):
        file.write_bytes(b"PAR1 and no more")
    assert cache.read_store_measurements(store, NAMES, AS_OF) is None
    assert cache.measure_fresh(FactsView(store, NAMES, AS_OF)).measurements == expected
    with pytest.raises(InputError, match=r"no measurements as of .* run `advisor measure"):
        shortlist.recommend_all(
            read_request(Request(domain="dependencies", store=store.path), whole_store=True)
        )
    assert whole_store.measure_store(store, [AS_OF]).reused_ranges == 0
    assert cache.read_store_measurements(store, NAMES, AS_OF) == expected


def test_unreadable_measurements_of_this_machine_are_errors(store):
    whole_store.measure_store(store, [AS_OF])
    for file in (store.path / cache.FOLDER).glob("*.parquet"):
        file.write_bytes(b"PAR1 and no more")
        seals.write_seal(file, file.name, hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(FactsError, match="measurements cannot be read"):
        cache.read_store_measurements(store, NAMES, AS_OF)
    with pytest.raises(FactsError, match=r"cannot read the measurements of"):
        shortlist.recommend_all(
            read_request(Request(domain="dependencies", store=store.path), whole_store=True)
        )
    assert cache.read_measurement_files([], [], AS_OF) == {}


def test_no_days_give_no_measurements_and_no_repositories_no_ranges(store):
    assert measure_days(FactsView(store, tuple(NAMES), AS_OF), []) == {}
    assert list(compaction.split_into_ranges([], {}, 10)) == []


def test_lookup_tables_may_be_empty(store):
    with reading.open_views(store, NAMES, AS_OF) as db:
        create_lookup_tables(db, dict.fromkeys(LOOKUP_TABLES, ()))
        assert db.execute("SELECT count(*) FROM percentiles").fetchall() == [(0,)]


def test_a_measurement_is_found_by_its_name():
    (first, *_) = recommend.recommend(read_request(Request())).ranking
    assert first.measurement("contributors").metric == "contributors"
    with pytest.raises(KeyError, match="contributers"):
        first.measurement("contributers")


def test_two_candidates_without_facts_cannot_be_compared():
    from advisor.answers.compare import compare

    day = reading.open_store(data_folder() / "snapshots" / "finetuning").first_day
    with pytest.raises(InputError, match="cannot compare pytorch/torchtune: no measurements as of"):
        compare(read_request(Request(repositories=("torchtune", "trl"), as_of=day)))
