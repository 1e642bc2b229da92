"""Answers as of the past ends of months, kept beside a bundled snapshot: its facts do not change.

``months.zip`` has an entry for each of the last days with the measurements, outlooks and draws as of that
day, and what `advisor.answers` adds: ``timeline.json`` and ``coverage.json``. The days of a year are the
lines of one file, because they compress to half the size together. The file ``key`` is made from the
inputs, as that of ``measurements.json.gz`` (see `cache`), and the archive has a seal (see `seals`).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from advisor.facts.facts_view import FactsView
from advisor.facts.manifest import lock_store
from advisor.facts.store import Store
from advisor.measure import cache, user_cache
from advisor.measure.seals import read_with_seal, write_with_seal
from advisor.metrics import METRICS
from advisor.model import Contribution, Measurement, Outlook

FILE = "months.zip"
_KEY = "key"
_START_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # equal bytes for equal content
_MEASUREMENT = [f.name for f in fields(Measurement) if f.name not in {"repository", "metric"}]
_OUTLOOK = [f.name for f in fields(Outlook) if f.name != "contributions"]


def measure(
    facts: FactsView, *, has_outlooks: bool = True, is_repeated: bool = True
) -> cache.SnapshotMeasurements:
    """Return measurements and outlooks, kept if they are kept, else measured; see `cache.measure_fresh`.

    A past day that was measured once for a few repositories is then in the user's cache, unless not
    ``is_repeated``.
    """
    if (snapshot := read(facts)) is not None:
        return snapshot
    if not is_repeated or facts.as_of == facts.store.as_of or len(facts.repositories) > cache.BLOCK:
        return cache.measure_fresh(facts, has_outlooks=has_outlooks)
    key = _key_of_day(facts, has_outlooks=has_outlooks)
    content = user_cache.read_value(key)
    if content is not None:
        return cache.SnapshotMeasurements(*_decode_day(content, facts.intact_repositories), facts.damages)
    snapshot = cache.measure_fresh(facts, has_outlooks=has_outlooks)
    user_cache.write_value(key, encode_day(snapshot.measurements, snapshot.outlooks))
    return snapshot


def _key_of_day(facts: FactsView, *, has_outlooks: bool) -> str:
    """Return a hash of all that measurements and outlooks of a day depend on, the code too."""
    package = Path(__file__).parents[1]
    code = [file for name in ("facts", "measure", "outlook") for file in (package / name).glob("*.py")]
    names = facts.intact_repositories
    inputs = [cache.facts_key(facts.store, names), names, facts.as_of.isoformat(), has_outlooks]
    return cache.digest([*inputs, cache.definitions_key(METRICS), user_cache.hash_code(code)])


def read(facts: FactsView) -> cache.SnapshotMeasurements | None:
    """Read the measurements and outlooks of a day; None if they are not kept."""
    if facts.as_of == facts.store.as_of:
        return cache.read_cached_measurements(facts)
    content = read_entry(facts.store, day_entry(facts.as_of))
    if content is None:
        return None
    return cache.SnapshotMeasurements(*_decode_day(content, facts.intact_repositories), facts.damages)


def read_days(facts: FactsView, days: Sequence[date]) -> dict[date, cache.SnapshotMeasurements]:
    """Read the measurements and outlooks of days; a day that is not kept is missing."""
    entries = _read_entries(facts.store, [day_entry(day) for day in days])
    names = facts.intact_repositories
    return {
        day: cache.SnapshotMeasurements(*_decode_day(content, names), facts.damages)
        for day, content in zip(days, entries, strict=True)
        if content
    }


def read_entry(store: Store, name: str) -> Any:
    """Return the content of an entry; None if there is none for these facts and definitions."""
    return next(_read_entries(store, [name]))


def _read_entries(store: Store, names: Sequence[str]) -> Iterator[Any]:
    data = read_with_seal(store.path / FILE)
    archive = zipfile.ZipFile(io.BytesIO(data)) if data else None
    if archive is not None and find_spec("_lzma") is None and _uses_lzma(archive):
        archive = None  # this Python was built without it: the months are computed
    is_current = archive is not None and archive.read(_KEY).decode() == _key(store)
    existing_files = set(archive.namelist()) if archive is not None and is_current else set()
    lines: dict[bytes, bytes] = {}
    file = ""
    for name in names:
        if file != (file := _file_of(name)) and archive is not None:
            text = archive.read(file) if file in existing_files else b""
            lines = dict(line.split(b"\t", 1) for line in text.splitlines())
        line = lines.get(name.encode())
        yield None if line is None else json.loads(line)


def _file_of(name: str) -> str:
    """Return the file of an entry: the days of a year share one."""
    return f"{name[:4]}.txt" if name[:4].isdigit() else name


def _uses_lzma(archive: zipfile.ZipFile) -> bool:
    return any(entry.compress_type == zipfile.ZIP_LZMA for entry in archive.infolist())


def write_entries(store: Store, entries: Mapping[str, Any]) -> None:
    """Replace the file; the entries are values for JSON."""
    buffer = io.BytesIO()
    texts: dict[str, str] = {}
    for name, content in entries.items():
        line = json.dumps(content, separators=(",", ":"), default=str)
        texts[_file_of(name)] = f"{texts.get(_file_of(name), '')}{name}\t{line}\n"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in {_KEY: _key(store), **texts}.items():
            archive.writestr(zipfile.ZipInfo(name, _START_OF_ZIP), text, zipfile.ZIP_DEFLATED)
    with lock_store(store.path):
        write_with_seal(store.path / FILE, buffer.getvalue())


def day_entry(day: date) -> str:
    """Return the name of the entry of a day."""
    return f"{day.isoformat()}.json"


def encode_day(
    measurements: Mapping[str, Mapping[str, Measurement]], outlooks: Mapping[str, Sequence[Outlook]]
) -> dict[str, Any]:
    """Return the measurements and outlooks of a day as values for JSON; `measure` returns them again."""
    return {
        "measurements": {
            repository: {m.metric: [_plain(getattr(m, name)) for name in _MEASUREMENT] for m in rows.values()}
            for repository, rows in sorted(measurements.items())
        },
        "outlooks": {repository: _encode_outlooks(each) for repository, each in sorted(outlooks.items())},
    }


def _decode_day(
    content: Mapping[str, Any], repositories: Sequence[str]
) -> tuple[dict[str, dict[str, Measurement]], dict[str, tuple[Outlook, ...]]]:
    """Return the measurements and the outlooks of some of the repositories of a day."""
    measurements: dict[str, dict[str, Measurement]] = {}
    for repository in repositories:
        measurements[repository] = {
            metric: cache.measurement_from_json(
                {"repository": repository, "metric": metric, **dict(zip(_MEASUREMENT, row, strict=True))}
            )
            for metric, row in content["measurements"][repository].items()
        }
    return measurements, {r: tuple(_decode_outlooks(content["outlooks"].get(r, ()))) for r in repositories}


def _key(store: Store) -> str:
    return f"{cache.measurements_key(store, store.as_of)} by year"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _encode_outlooks(outlooks: Sequence[Outlook]) -> list[list[Any]]:
    """Return a row for each outlook; its contributions are None if they are those of the one before."""
    rows: list[list[Any]] = []
    before: tuple[Contribution, ...] | None = None
    for outlook in outlooks:
        shares = [[c.feature, c.value, c.log_odds] for c in outlook.contributions]
        rows.append(
            [*(getattr(outlook, n) for n in _OUTLOOK), None if outlook.contributions == before else shares]
        )
        before = outlook.contributions
    return rows


def _decode_outlooks(rows: Sequence[Sequence[Any]]) -> list[Outlook]:
    from advisor.outlook.features import FEATURES

    outlooks: list[Outlook] = []
    for *values, shares in rows:
        contributions = (
            outlooks[-1].contributions
            if shares is None
            else tuple(Contribution(name, FEATURES[name].title, *rest) for name, *rest in shares)
        )
        outlooks.append(Outlook(**dict(zip(_OUTLOOK, values, strict=True)), contributions=contributions))
    return outlooks
