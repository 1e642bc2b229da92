"""What the previous run over a whole store measured, so that the next one measures only what changed.

``facts.json`` beside the measurements names the days of the run, and for each repository a hash of its facts
and the file with its measurements. A measurement is used again if the facts of its repository, the day, the
definitions of the metrics and the bundled data are the same, and if advisor wrote the file on this machine
(see `seals`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from advisor.facts.database import join_with_commas, parquet_sql, quote
from advisor.facts.store import Store, is_benchmark_file
from advisor.measure.cache import FOLDER, digest
from advisor.measure.seals import is_sealed, read_with_seal, write_with_seal

RUN_FILE = "facts.json"


@dataclass(frozen=True)
class PreviousRun:
    """The measurements of a run, in files that advisor wrote and nobody changed.

    Attributes:
        folder: the folder of its files.
        days: the days that it measured.
        keys: repository → hash of the facts that it measured.
        files: repository → name of the file with its measurements.
    """

    folder: Path
    days: frozenset[date] = frozenset()
    keys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def list_unchanged_repositories(self, keys: Mapping[str, str]) -> list[str]:
        """Return the repositories whose facts are those that the run measured; ``keys`` are today's."""
        return [name for name, key in keys.items() if self.keys.get(name) == key]

    def select_rows(self, names: Sequence[str], days: Sequence[date]) -> Iterator[str]:
        """Yield SQL of the measurements of some repositories as of some days."""
        as_of = join_with_commas(f"DATE '{day.isoformat()}'" for day in days)
        for file in sorted({self.files[name] for name in names}):
            repositories = join_with_commas(quote(name) for name in names if self.files[name] == file)
            yield (
                f"SELECT * FROM {parquet_sql([self.folder / file])}"
                f" WHERE as_of IN ({as_of}) AND repository IN ({repositories})"
            )


def read_previous_run(store: Store, definitions: str) -> PreviousRun:
    """Read what the previous run measured; an empty run if it is missing, or had other definitions."""
    folder = store.path / FOLDER
    data = read_with_seal(folder / RUN_FILE)
    content = json.loads(data) if data else {}
    if content.get("definitions") != definitions:
        return PreviousRun(folder)
    repositories = {
        name: (key, file)
        for file, keys in content["files"].items()
        if is_sealed(folder / file, file)
        for name, key in keys.items()
    }
    return PreviousRun(
        folder,
        frozenset(map(date.fromisoformat, content["days"])),
        {name: key for name, (key, _) in repositories.items()},
        {name: file for name, (_, file) in repositories.items()},
    )


def write_run(
    store: Store, definitions: str, days: Sequence[date], files: Mapping[str, Mapping[str, str]]
) -> None:
    """Write what a run measured; ``files`` are file → repository → hash of its facts."""
    content = {"definitions": definitions, "days": [day.isoformat() for day in days], "files": files}
    write_with_seal(store.path / FOLDER / RUN_FILE, json.dumps(content).encode())


def hash_facts(store: Store, names: Sequence[str]) -> dict[str, str]:
    """Return repository → hash of its facts; facts of others in the same partition do not change it."""
    keys = {}
    for name in names:
        hashes = {}
        for file in store.files.get(name, ()):
            entry = store.manifest["files"][file]
            if not is_benchmark_file(file):  # benchmarks are read separately (see `measure.benchmarks`)
                hashes[file] = store.partitions[entry["in"]]["sha256"] if "in" in entry else entry["sha256"]
        keys[name] = digest(hashes)
    return keys
