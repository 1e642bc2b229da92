"""A store that is measured again costs what changed, and equals one that is measured for the first time."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from measuring import measure_repositories
from small_world import AS_OF, fill, rows

from advisor.facts import compaction, reading, writing
from advisor.measure import one_range
from advisor.measure.cache import read_measurement_files, read_store_measurements
from advisor.measure.whole_store import Limits, measure_store
from advisor.metrics import METRICS

DAYS = [AS_OF - timedelta(days=31), AS_OF]
FEW = {name: METRICS[name] for name in ("contributors", "release_frequency", "change_requests_duration")}


@pytest.fixture
def store(tmp_path):
    store = fill(tmp_path / "store", rows())
    compaction.compact_store(store.path, 10**6)
    return reading.open_store(store.path)


@pytest.fixture
def measured(monkeypatch):
    """Return the list of (repositories, days) that were measured, not taken from the previous run."""
    calls = []
    real = one_range.set_requested_repositories

    def record(db, names, day):
        calls.extend((name, day) for name in names)
        real(db, names, day)

    monkeypatch.setattr(one_range, "set_requested_repositories", record)
    return calls


@pytest.fixture
def queries(monkeypatch):
    """Return the list of the queries that DuckDB executes."""
    texts = []
    real = one_range.open_database

    class Recorder:
        def __init__(self, db):
            self.db = db

        def execute(self, text, *more):
            texts.append(text)
            return self.db.execute(text, *more)

        def cursor(self):
            return Recorder(self.db.cursor())

    @contextmanager
    def record(*arguments):
        with real(*arguments) as db:
            yield Recorder(db)

    monkeypatch.setattr(one_range, "open_database", record)
    return texts


def test_the_affiliation_is_computed_once_for_a_date_and_five_metrics_read_it(store, queries):
    readers = [name for name, metric in METRICS.items() if "affiliated_commits" in metric.sql]
    assert len(readers) == 5
    measure_store(store, DAYS, Limits(threads=1))
    assert sum(
        "domain_days" in text and text.startswith("CREATE OR REPLACE TEMP TABLE") for text in queries
    ) == len(DAYS)
    # The view with the computation is replaced by the table before the first metric reads it.
    views = [text for text in queries if text.startswith("CREATE OR REPLACE TEMP VIEW affiliated_commits ")]
    assert [text.endswith("SELECT * FROM shared_affiliated_commits") for text in views] == [
        False,
        True,
    ] * len(DAYS)
    tables = [n for n, text in enumerate(queries) if text == views[1]]
    ends = [*tables[1:], len(queries)]
    for day, table, end in zip(DAYS, tables, ends, strict=True):
        reads = [t for t in queries[table:end] if t.startswith("INSERT") and "affiliated_commits" in t]
        assert sum(text.count(f"'{name}'") for text in reads for name in readers) >= len(readers)
        assert all(day.isoformat() in text for text in reads)
    assert not any(t.startswith("INSERT") and "affiliated_commits" in t for t in queries[: tables[0]])


def test_the_reasons_and_states_of_all_metrics_are_one_query_for_a_date(store, queries):
    measure_store(store, DAYS, Limits(threads=1))
    queries.clear()
    new_store = add_release(store, store.repositories()[1])
    measure_store(new_store, DAYS, Limits(threads=1))
    assert sum("requested_repositories" in text and text.startswith("INSERT") for text in queries) == len(
        DAYS
    )
    figures = [text for text in queries if text.startswith("INSERT INTO figures")]
    assert 0 < len(figures) <= len(DAYS) * (len(METRICS) / one_range.QUERIES_AT_ONCE + 1)
    assert not any("CREATE TYPE" in text for text in queries)
    check(new_store)


def add_release(store, name):
    row = {"repository": name, "tag": "v99", "released_on": AS_OF - timedelta(days=40), "is_prerelease": False,
           "source": "git:x", "retrieved_at": AS_OF}  # fmt: skip
    writing.write_rows(store.path, "releases", name, [row], part="new")
    return reading.open_store(store.path)


def check(store, days=DAYS):
    names = store.repositories()
    for day in days:
        assert read_store_measurements(store, names, day) == measure_repositories(store, names, day)[0]


def test_only_the_changed_repository_is_measured(store, measured):
    """All repositories are in one partition and one range."""
    measure_store(store, DAYS, Limits(threads=1))
    measured.clear()
    name = store.repositories()[1]
    new_store = add_release(store, name)
    measure_store(new_store, DAYS, Limits(threads=1))
    assert measured == [(name, day) for day in DAYS]
    check(new_store)


def test_other_days_are_measured_and_no_others(store, measured):
    measure_store(store, DAYS, Limits(threads=1))
    measured.clear()
    names, new_day = store.repositories(), AS_OF - timedelta(days=7)
    new_store = add_release(store, names[0])
    days = [DAYS[1], new_day]
    measure_store(new_store, days, Limits(threads=1))
    assert sorted(measured) == sorted([(names[0], DAYS[1]), *((name, new_day) for name in names)])
    check(new_store, days)
    files = {file.name for file in (store.path / "measurements").glob("*.parquet")}
    assert files == set(json.loads((store.path / "measurements" / "index.json").read_text())["files"])


def test_other_ranges_take_what_is_there(store, measured):
    measure_store(store, DAYS, Limits(threads=1))
    measured.clear()
    measure_store(store, DAYS, Limits(threads=2, rows_per_range=700))
    assert measured == []
    check(store)


def test_rows_that_went_away_count_as_a_change(store, measured):
    name = store.repositories()[0]
    measure_store(store, DAYS, Limits(threads=1))
    measured.clear()
    writing.write_rows(store.path, "releases", name, [])
    new_store = reading.open_store(store.path)
    measure_store(new_store, DAYS, Limits(threads=1))
    assert measured == [(name, day) for day in DAYS]
    check(new_store)


def test_another_definition_of_a_metric_measures_everything(store, measured):
    measure_store(store, [AS_OF], Limits(threads=1), FEW)
    measured.clear()
    metric = FEW["contributors"]
    measure_store(store, [AS_OF], Limits(threads=1), {**FEW, "contributors": replace(metric, window_days=7)})
    assert [name for name, _ in measured] == store.repositories()


@pytest.mark.parametrize("kind", ["facts", "measurements", "seal"])
def test_a_file_that_somebody_changed_is_not_used(store, measured, kind):
    """One range with a new repository of facts, so that its own file cannot be used either."""
    measure_store(store, DAYS, Limits(threads=1))
    measured.clear()
    folder = store.path / "measurements"
    if kind == "facts":
        (folder / "facts.json").write_text((folder / "facts.json").read_text().replace('"days"', ' "days"'))
    else:
        (file,) = folder.glob("*.parquet" if kind == "measurements" else "*.parquet.seal")
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    new_store = add_release(store, store.repositories()[0])
    measure_store(new_store, DAYS, Limits(threads=1))
    assert len(measured) == len(DAYS) * len(store.repositories())
    check(new_store)


def test_a_repository_whose_facts_are_damaged_has_no_measurements(store):
    measure_store(store, DAYS, Limits(threads=1))
    name = store.repositories()[0]
    new_store = add_release(store, name)
    measure_store(new_store, DAYS, Limits(threads=1))
    (new_store.path / "releases" / f"{name.replace('/', '__')}@new.parquet").write_bytes(b"")
    damaged_store = reading.open_store(store.path)
    summary = measure_store(damaged_store, DAYS, Limits(threads=1))
    assert {damage.repository for damage in summary.damages} == {name}
    names = damaged_store.repositories()
    measurements = read_store_measurements(damaged_store, names, AS_OF)
    assert [n for n in names if not measurements[n]] == [name]


def test_a_repaired_file_is_measured(store):
    """A run without its repository once left a file that the next run took for complete."""
    name = store.repositories()[0]
    new_store = add_release(store, name)
    file = new_store.path / "releases" / f"{name.replace('/', '__')}@new.parquet"
    content = file.read_bytes()
    file.write_bytes(b"")
    assert measure_store(new_store, [AS_OF], Limits(threads=1), FEW).damages
    file.write_bytes(content)
    assert not measure_store(reading.open_store(store.path), [AS_OF], Limits(threads=1), FEW).damages
    folder = store.path / "measurements"
    files = sorted(folder.glob("*.parquet"))
    assert read_measurement_files(files, [name], AS_OF)[name].keys() == FEW.keys()


def test_every_thread_has_work(store):
    """A store with few rows was one range, and so one thread."""
    assert measure_store(store, [AS_OF], Limits(threads=2), FEW).ranges >= 2
