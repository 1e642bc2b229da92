"""Cache of measurements and outlooks beside a snapshot, so that `advisor rank` is fast.

``measurements.json.gz`` has the measurements as of the snapshot's own date, and ``draws.json`` the SMAA draws
of the questions without options. Each file has a key made from its inputs, and a seal (see `seals`). If
either does not match, the values are computed again.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.facts import reading
from advisor.facts.database import join_with_commas, open_database, parquet_sql, quote
from advisor.facts.facts_view import FactsView
from advisor.facts.manifest import lock_store
from advisor.facts.store import Store, is_benchmark_file
from advisor.measure.seals import is_sealed, read_with_seal, write_with_seal
from advisor.measure.sql import measurement_of_row
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED_VIEWS
from advisor.model import Contribution, Measurement, Metric, Outlook

FILE = "measurements.json.gz"
FOLDER = "measurements"  # measurements of a whole store by `advisor measure`, beside the facts
_GZIP = zlib.MAX_WBITS | 16  # the format of gzip, by the module that Python has loaded already
BLOCK = 100  # repositories whose facts are in memory at once: about 150 MB
# The bundled files that a measurement depends on, besides the facts.
_INPUT_FILES = ("organisations.toml", "reference/outlook.json", "reference/percentiles.json")


def measurements_key(store: Store, as_of: date) -> str:
    """Return a hash of all inputs of measurements: facts, date, metric definitions and bundled files."""
    hashes = facts_key(store, store.repositories())
    return digest([hashes, as_of.isoformat(), *_definitions(METRICS)])


def digest(inputs: object) -> str:
    """Return the SHA-256 of a JSON value, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _definitions(metrics: Mapping[str, Metric]) -> list[Any]:
    contents = [(data_folder() / name).read_bytes() for name in _INPUT_FILES]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    return [[vars(metrics[name]) for name in sorted(metrics)], dict(DERIVED_VIEWS), digests]


def definitions_key(metrics: Mapping[str, Metric]) -> str:
    """Return a hash of the metrics' definitions and the bundled files that they read."""
    return digest(_definitions(metrics))


def measurements_key_of_store(store: Store) -> str:
    """Return a hash of the inputs of a whole store's measurements, for any day and engine."""
    return digest([definitions_key(METRICS), facts_key(store, list(store.files))])


def measurement_files(store: Store, as_of: date) -> list[Path] | None:
    """Return the measurement files of a whole store as of a day; None if missing, stale or not sealed."""
    index = read_index(store)
    if as_of.isoformat() not in index.get("days", ()) or index["key"] != measurements_key_of_store(store):
        return None
    files = {name: store.path / FOLDER / name for name in index["files"]}
    return list(files.values()) if all(is_sealed(path, name) for name, path in files.items()) else None


def read_index(store: Store) -> dict[str, Any]:
    """Return the index of a whole store's measurements; empty if it is missing or not from this machine."""
    data = read_with_seal(store.path / FOLDER / "index.json")
    return json.loads(data) if data else {}


def read_store_measurements(
    store: Store, repositories: Sequence[str], as_of: date
) -> dict[str, dict[str, Measurement]] | None:
    """Read the results of `advisor measure` for repositories as of a day; None if missing or stale.

    Raises:
        FactsError: a file of measurements cannot be read.
    """
    files = measurement_files(store, as_of)
    return read_measurement_files(files, repositories, as_of) if files else None


def read_measurement_files(
    files: Sequence[Path], repositories: Sequence[str], as_of: date
) -> dict[str, dict[str, Measurement]]:
    """Read measurements of repositories as of a day from files of `measurement_files`.

    Raises:
        FactsError: a file cannot be read.
    """
    import duckdb

    measurements: dict[str, dict[str, Measurement]] = {r: {} for r in repositories}
    if not measurements:
        return measurements
    with open_database({file.parent for file in files}) as db:
        try:
            rows = db.execute(
                # No parameters: DuckDB imports pandas for a list parameter, which is slower than the query.
                f"SELECT * FROM {parquet_sql(files)}"
                f" WHERE as_of = DATE '{as_of.isoformat()}'"
                f" AND repository IN ({join_with_commas(map(quote, repositories))}) ORDER BY metric"
            )
        except duckdb.Error as error:
            raise FactsError(f"measurements cannot be read: {error}") from None
        names = [d[0] for d in rows.description]
        for row in rows.fetchall():
            measurement = measurement_of_row(dict(zip(names, row, strict=True)))
            measurements[measurement.repository][measurement.metric] = measurement
    return measurements


def facts_key(store: Store, repositories: Sequence[str]) -> dict[str, Any]:
    """Return file → hash of the facts about repositories; for a partition also its replaced files."""
    hashes: dict[str, Any] = {}
    for repository in repositories:
        for file in store.files.get(repository, ()):
            entry = store.manifest["files"][file]
            if is_benchmark_file(file):  # benchmarks are read separately (see `measure.benchmarks`)
                continue
            if "in" in entry:
                partition = store.partitions[entry["in"]]
                hashes[entry["in"]] = [partition["sha256"], sorted(partition.get("replaced", ()))]
            else:
                hashes[file] = entry["sha256"]
    return dict(sorted(hashes.items()))


@dataclass(frozen=True)
class SnapshotMeasurements:
    """Measurements and outlooks of each repository, and the damaged files."""

    measurements: dict[str, dict[str, Measurement]]
    outlooks: dict[str, tuple[Outlook, ...]]
    damages: tuple[reading.Damage, ...]


def read_cached_measurements(facts: FactsView) -> SnapshotMeasurements | None:
    """Read the cache beside a snapshot; None if it is missing, not sealed, or was made from other facts."""
    compressed_data = read_with_seal(facts.store.path / FILE)
    if not compressed_data:
        return None
    data = zlib.decompress(compressed_data, _GZIP)  # its seal says that advisor wrote it
    # A file of other facts or of another version may have other columns: it is not read any further.
    if not data.startswith(_first_bytes(measurements_key(facts.store, facts.as_of))):
        return None
    text = data.decode()
    del data  # 20 MB for 800 repositories
    content = json.loads(text, object_hook=_decode_row)
    names = facts.intact_repositories
    return SnapshotMeasurements(
        {r: {m.metric: m for m in content["measurements"][r]} for r in names},
        {r: tuple(content["outlooks"][r]) for r in names},
        facts.damages,
    )


def _first_bytes(key: str) -> bytes:
    return f'{{"key":"{key}",'.encode()


def _decode_row(row: dict[str, Any]) -> Any:
    """Return the value of a row of the cache at once: as dictionaries, 800 repositories take 100 MB more."""
    if "status" in row:
        return measurement_from_json(row)
    if "contributions" in row:
        return Outlook(**{**row, "contributions": tuple(row["contributions"])})
    return _contribution_from_json(row) if "log_odds" in row else row


def _contribution_from_json(row: dict[str, Any]) -> Contribution:
    texts = {name: sys.intern(row[name]) for name in ("feature", "title")}
    return Contribution(**{**row, **texts})


def measurement_from_json(row: dict[str, Any]) -> Measurement:
    """Return the measurement of a row of JSON; a field that it does not have has its default."""
    values = dict(row)
    for name in ("first_day", "last_day"):
        if row.get(name):
            values[name] = date.fromisoformat(row[name])
    for name in ("repository", "metric", "status", "reason"):
        if name in row:  # each text is in memory once: thousands of rows have the same
            values[name] = sys.intern(row[name])
    values["sources"] = tuple(map(sys.intern, row.get("sources", ())))
    return Measurement(**values)


def outlook_from_json(row: dict[str, Any]) -> Outlook:
    """Return the outlook of a row of JSON."""
    return Outlook(**{**row, "contributions": tuple(map(_contribution_from_json, row["contributions"]))})


def compute_outlooks_of(
    facts: FactsView, earlier_names: Mapping[str, Collection[str]] | None = None
) -> dict[str, tuple[Outlook, ...]]:
    """Return the outlooks of the intact repositories by the bundled model (see `compute_outlooks`)."""
    from advisor.outlook.candidates import compute_outlooks

    return compute_outlooks(facts, data_folder() / "reference" / "outlook.json", earlier_names)


def measure_fresh(facts: FactsView, *, has_outlooks: bool = True) -> SnapshotMeasurements:
    """Measure repositories, or read the results of `advisor measure`, and compute their outlooks.

    It holds the facts of `BLOCK` repositories in memory at a time.

    Args:
        facts: the repositories, and the day.
        has_outlooks: whether the result has outlooks, which take longer than the measurements.
    """
    from advisor.measure.one_day import measure_view

    rows = read_store_measurements(facts.store, facts.repositories, facts.as_of)
    measurements: dict[str, dict[str, Measurement]] = {}
    outlooks: dict[str, tuple[Outlook, ...]] = {}
    for start in range(0, max(1, len(facts.repositories)), BLOCK):
        part = facts.select(facts.repositories[start : start + BLOCK])
        names = part.intact_repositories
        measurements |= measure_view(part) if rows is None else {r: rows[r] for r in names}
        if has_outlooks:
            outlooks |= compute_outlooks_of(part)
        if part is not facts and "connection" in vars(part):  # opened on first use
            part.connection.close()
    return SnapshotMeasurements(measurements, outlooks, facts.damages)


def _encode_row(m: Measurement) -> dict[str, Any]:
    """Return the fields of a measurement that differ from their defaults."""
    return {f.name: value for f in fields(m) if (value := getattr(m, f.name)) != f.default}


def write_measurement_cache(store: Store) -> None:
    """Write the measurements and outlooks as of the snapshot's own date beside it.

    Raises:
        FactsError: a file of the snapshot is damaged.
    """
    results = measure_fresh(FactsView(store, tuple(store.repositories()), store.as_of))
    if results.damages:
        raise FactsError("; ".join(map(str, results.damages)))
    content = {
        "key": measurements_key(store, store.as_of),
        "as_of": store.as_of.isoformat(),
        "measurements": {
            r: [_encode_row(m) for _, m in sorted(each.items())]
            for r, each in sorted(results.measurements.items())
        },
        "outlooks": {r: [asdict(o) for o in each] for r, each in sorted(results.outlooks.items())},
    }
    text = json.dumps(content, separators=(",", ":"), default=str) + "\n"
    with lock_store(store.path):
        write_with_seal(store.path / FILE, zlib.compress(text.encode(), 9, _GZIP))
