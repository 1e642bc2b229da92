"""A store that is not what it says is named, with what to do; what can be kept beside a store is made anew."""

from __future__ import annotations

import json
import shutil

import pytest
from small_world import AS_OF, NAMES, fill, rows

from advisor.answers import coverage, recommend, shortlist
from advisor.answers.question import Request
from advisor.domain.files import data_folder
from advisor.errors import FactsError, InputError
from advisor.facts import compaction, reading, writing
from advisor.facts.manifest import SCHEMA_VERSION
from advisor.measure import cache, whole_store
from advisor.measure.one_day import measure, measure_over, prepare

SNAPSHOT = data_folder() / "snapshots" / "dataframes"


@pytest.fixture
def store(tmp_path):
    return fill(tmp_path / "store", rows())


def tell(store, **changes):
    manifest = json.loads((store.path / "manifest.json").read_text())
    (store.path / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def with_its_hash(store, file, content):
    """Lay other bytes in place of a file that the manifest vouches for."""
    from hashlib import sha256

    (store.path / file).write_bytes(content)
    manifest = json.loads((store.path / "manifest.json").read_text())
    manifest["files"][file]["sha256"] = sha256(content).hexdigest()
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    return reading.open_store(store.path)


def test_a_column_that_no_table_has(tmp_path):
    with pytest.raises(FactsError, match="table counts has no column valeu"):
        writing.write(tmp_path, "counts", NAMES[0], [{"repository": NAMES[0], "valeu": 1}])


def test_a_manifest_of_another_version_and_one_that_is_none(store):
    tell(store, schema=SCHEMA_VERSION + 1)
    with pytest.raises(FactsError, match=r"manifest\.json: schema \d+, this version reads \d+; collect"):
        reading.open_store(store.path)
    right = f'{{"schema": {SCHEMA_VERSION}'
    for damaged in ("[", "[]", f"{right}}}", f'{right}, "files": 3}}'):
        (store.path / "manifest.json").write_text(damaged)
        with pytest.raises(FactsError, match=r"manifest\.json is damaged .*; collect the facts anew"):
            reading.open_store(store.path)


def test_a_file_that_is_gone_leaves_out_its_repository_alone(store):
    gone = writing.file_of("counts", NAMES[1])
    (store.path / gone).unlink()
    (damage,) = reading.verify(store, NAMES)
    assert (damage.repository, damage.reason) == (NAMES[1], "cannot be read (No such file or directory)")
    found, damages = measure(store, NAMES, AS_OF)
    assert (sorted(found), damages) == (sorted({*NAMES} - {NAMES[1]}), [damage])


def test_a_file_with_the_right_hash_that_is_no_parquet(store):
    file = writing.file_of("counts", NAMES[0])
    broken = with_its_hash(store, file, b"PAR1 and no more")
    with pytest.raises(FactsError, match=r"counts in .* cannot be read"):
        measure(broken, NAMES, AS_OF)
    with pytest.raises(FactsError, match=f"{file} is damaged"):
        reading.read(broken, "counts", NAMES[0])


def test_a_ranking_of_damaged_files_alone_says_which(tmp_path):
    store = reading.open_store(shutil.copytree(SNAPSHOT, tmp_path / "dataframes"))
    for file in store.files[store.repositories()[0]]:
        (store.path / file).unlink()
    with pytest.raises(FactsError, match=r"no candidate can be ranked: .*cannot be read"):
        recommend.recommend(
            Request(domain="dataframes", store=store.path, repositories=store.repositories()[:1])
        )
    with pytest.raises(FactsError, match="cannot be read"):
        coverage.coverage(coverage.Request(domain="dataframes", store=store.path))
    with pytest.raises(FactsError, match="cannot be read"):
        cache.keep_measurements(store)


def test_who_was_not_there_yet_is_missing_with_the_day(tmp_path):
    first = reading.open_store(SNAPSHOT).first_day
    answer = recommend.recommend(Request(domain="dataframes", as_of=first))
    assert answer.missing
    assert all(str(first) in why for why in answer.missing.values())


def test_the_answers_beside_a_snapshot_are_made_anew(tmp_path):
    copy = shutil.copytree(SNAPSHOT, tmp_path / "dataframes")
    for file in ("measurements.json", "draws.json"):
        (copy / file).unlink()
    recommend.keep_answers(reading.open_store(copy))
    made = json.loads((copy / "measurements.json").read_text())
    assert (
        made["measurements"].keys()
        == json.loads((SNAPSHOT / "measurements.json").read_text())["measurements"].keys()
    )
    assert cache.kept(
        reading.open_store(copy), reading.open_store(copy).repositories(), reading.open_store(copy).as_of
    )
    assert (copy / "draws.json").is_file()


def test_measurements_of_a_whole_store_that_are_no_parquet(store):
    whole_store.measure_store(store, [AS_OF])
    for file in (store.path / cache.FOLDER).glob("*.parquet"):
        file.write_bytes(b"PAR1 and no more")
    with pytest.raises(FactsError, match="measurements cannot be read"):
        cache.read_measured(store, NAMES, AS_OF)
    with pytest.raises(FactsError, match=r"the measurements of .* cannot be read"):
        shortlist.recommend_all(Request(domain="dependencies", store=store.path))
    assert cache.read_files([], [], AS_OF) == {}


def test_no_day_is_no_measurement_and_no_repository_no_range(store):
    assert measure_over(store, NAMES, []) == {}
    assert list(compaction.ranges([], {}, 10)) == []


def test_nothing_known_beside_the_facts_is_an_empty_table(store):
    with reading.connect(store, NAMES, AS_OF) as db:
        prepare(db, {"population": []})
        assert db.execute("SELECT count(*) FROM population").fetchall() == [(0,)]


def test_a_measurement_is_asked_for_by_its_name():
    (first, *_) = recommend.recommend(Request()).ranking
    assert first.measurement("contributors").metric == "contributors"
    with pytest.raises(KeyError, match="contributers"):
        first.measurement("contributers")


def test_a_pair_of_whom_nothing_is_known():
    from advisor.answers.compare import compare

    day = reading.open_store(data_folder() / "snapshots" / "finetuning").first_day
    with pytest.raises(InputError, match="cannot be compared: nothing of it was measured"):
        compare(Request(repositories=("torchtune", "trl"), as_of=day))
