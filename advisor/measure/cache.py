"""What was found from a snapshot, kept beside it so that `rank` need not look again.

``measurements.json`` holds what was measured on the snapshot's own day, ``draws.json`` the draws for the
questions that need no option. Each says from what it was made; anything else is worked out anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from advisor.domain.files import data_folder
from advisor.errors import FactsError
from advisor.facts import reading
from advisor.facts.store import Store, is_aside, listed, text
from advisor.files import write_atomically
from advisor.measure.sql import measurement
from advisor.metrics import METRICS
from advisor.metrics.shared.views import DERIVED
from advisor.model import Contribution, Measurement, Metric, Outlook

FOLDER = "measurements"  # of a whole store, by `advisor measure`; beside the facts
# What measuring reads besides the facts.
_READ = ("organisations.toml", "reference/outlook.json", "reference/population.json")


def _outlook_model() -> Path:
    return data_folder() / "reference" / "outlook.json"


def measurements_key(store: Store, as_of: date) -> str:
    """What measurements were made from: the facts' hashes, the date, definitions, organisations, models."""
    hashes = facts_key(store, store.repositories())
    return digest([hashes, as_of.isoformat(), *_definitions(METRICS)])


def digest(made_from: object) -> str:
    """Name of what is made from this, a JSON value."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _definitions(metrics: Mapping[str, Metric]) -> list[Any]:
    read = [(data_folder() / name).read_bytes() for name in _READ]
    digests = [hashlib.sha256(content).hexdigest() for content in read]
    return [[vars(metrics[name]) for name in sorted(metrics)], dict(DERIVED), digests]


def definitions_key(metrics: Mapping[str, Metric]) -> str:
    """What measurements were made by: the metrics' definitions and what they read besides the facts."""
    return digest(_definitions(metrics))


def measurements_key_of_store(store: Store) -> str:
    """What the measurements of a whole store were made from, whatever the days and the engine."""
    return digest([definitions_key(METRICS), facts_key(store, list(store.files))])


def measured_files(store: Store, as_of: date) -> list[Path] | None:
    """Files with the measurements of a whole store as of a day; None if they are not of these facts."""
    try:
        index = json.loads((store.path / FOLDER / "index.json").read_text())
        if as_of.isoformat() in index["days"] and index["key"] == measurements_key_of_store(store):
            return [store.path / FOLDER / file for file in index["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def read_measured(
    store: Store, repositories: Sequence[str], as_of: date
) -> dict[str, dict[str, Measurement]] | None:
    """What `advisor measure` found about repositories as of a day; None if there is nothing or it is stale.

    Raises:
        FactsError: a file of measurements cannot be read.
    """
    files = measured_files(store, as_of)
    return read_files(files, repositories, as_of) if files else None


def read_files(
    files: Sequence[Path], repositories: Sequence[str], as_of: date
) -> dict[str, dict[str, Measurement]]:
    """What files of `measured_files` hold about repositories as of a day.

    Raises:
        FactsError: one cannot be read.
    """
    import duckdb

    found: dict[str, dict[str, Measurement]] = {r: {} for r in repositories}
    if not found:
        return found
    with duckdb.connect() as db:
        try:
            rows = db.execute(
                # Written out: for a parameter duckdb imports pandas, which takes longer than all the rest.
                f"SELECT * FROM read_parquet([{listed(text(str(f)) for f in files)}])"
                f" WHERE as_of = DATE '{as_of.isoformat()}'"
                f" AND repository IN ({listed(map(text, repositories))}) ORDER BY metric"
            )
        except duckdb.Error as error:
            raise FactsError(f"measurements cannot be read: {error}") from None
        names = [d[0] for d in rows.description]
        for row in rows.fetchall():
            measured = measurement(dict(zip(names, row, strict=True)))
            found[measured.repository][measured.metric] = measured
    return found


def facts_key(store: Store, repositories: Sequence[str]) -> dict[str, Any]:
    """What the facts about these repositories are: file → hash; of a partition also what counts no more."""
    found: dict[str, Any] = {}
    for repository in repositories:
        for file in store.files.get(repository, ()):
            entry = store.manifest["files"][file]
            if is_aside(file):  # benches are laid over afterwards
                continue
            if "in" in entry:
                partition = store.partitions[entry["in"]]
                found[entry["in"]] = [partition["sha256"], sorted(partition.get("replaced", ()))]
            else:
                found[file] = entry["sha256"]
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Found:
    """What was found about each repository, and the files that could not be used."""

    measured: dict[str, dict[str, Measurement]]
    outlooks: dict[str, tuple[Outlook, ...]]
    damages: list[reading.Damage]


def kept(store: Store, repositories: list[str], as_of: date) -> Found | None:
    """What lies beside the snapshot; None if it was not made from just these facts."""
    try:
        content = json.loads((store.path / "measurements.json").read_text())
        if content["key"] != measurements_key(store, as_of):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    damages = reading.verify(store, repositories)
    bad = {d.repository for d in damages}
    sound = [r for r in repositories if r not in bad]
    return Found(
        {r: {row["metric"]: _from_json(row) for row in content["measurements"][r]} for r in sound},
        {r: tuple(_outlook_from_json(row) for row in content["outlooks"][r]) for r in sound},
        damages,
    )


def _from_json(row: dict[str, Any]) -> Measurement:
    days = {k: date.fromisoformat(row[k]) for k in ("first_day", "last_day") if row[k]}
    return Measurement(**{**row, **days, "sources": tuple(row["sources"])})


def _outlook_from_json(row: dict[str, Any]) -> Outlook:
    return Outlook(**{**row, "contributions": tuple(Contribution(**c) for c in row["contributions"])})


def fresh(store: Store, repositories: list[str], as_of: date) -> Found:
    """Take what `advisor measure` left or measure now, and ask the outlook."""
    from advisor.measure.one_day import measure
    from advisor.outlook.candidates import outlooks

    whole = read_measured(store, repositories, as_of)
    if whole is None:
        measured, damages = measure(store, repositories, as_of)
    else:
        damages = reading.verify(store, repositories)
        bad = {d.repository for d in damages}
        measured = {r: of_it for r, of_it in whole.items() if r not in bad}
    return Found(measured, outlooks(store, list(measured), as_of, _outlook_model()), damages)


def keep_measurements(store: Store) -> None:
    """Write the measurements for the snapshot's own date beside it, so that `rank` need not run them."""
    found = fresh(store, store.repositories(), store.as_of)
    if found.damages:
        raise FactsError("; ".join(map(str, found.damages)))
    content = {
        "key": measurements_key(store, store.as_of),
        "as_of": store.as_of.isoformat(),
        "measurements": {
            r: [asdict(m) for _, m in sorted(of_it.items())] for r, of_it in sorted(found.measured.items())
        },
        "outlooks": {r: [asdict(o) for o in of_it] for r, of_it in sorted(found.outlooks.items())},
    }
    text = json.dumps(content, indent=1, default=str) + "\n"
    write_atomically(store.path / "measurements.json", text.encode())
