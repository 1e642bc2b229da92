"""Cache of figures of public lists beside a snapshot, so that `advisor rank` need not read the population.

``list_figures.json`` has the figures of the snapshot's repositories and of the known rivals, and the names
that no list has. Its key is the hash of the population, and it has a seal (see `seals`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from advisor.facts.manifest import lock_store
from advisor.facts.store import Store
from advisor.measure.cache import measurement_from_json, outlook_from_json
from advisor.measure.seals import read_with_seal, write_with_seal
from advisor.population.figures import ListFigures, read_figures
from advisor.population.reading import population_file

FILE = "list_figures.json"


def read_cached_figures(store: Store) -> dict[str, ListFigures | None]:
    """Return repository → its figures, None if no list has it; empty without a cache for this population."""
    data = read_with_seal(store.path / FILE)
    content = json.loads(data) if data else {}
    if content.get("key") != _key(population_file()):
        return {}
    return {repository: _from_json(row) for repository, row in content["figures"].items()}


def write_cached_figures(store: Store, rivals: Iterable[str]) -> None:
    """Write the figures of the store's repositories and of these rivals beside the store.

    Raises:
        FactsError: the population cannot be read.
    """
    names = sorted({*store.repositories(), *rivals})
    figures = read_figures(names)
    rows = {repository: _to_json(figures.get(repository)) for repository in names}
    text = json.dumps({"key": _key(population_file()), "figures": rows}, indent=1, default=str) + "\n"
    with lock_store(store.path):
        write_with_seal(store.path / FILE, text.encode())


@cache
def _key(population: Path) -> str:
    return hashlib.sha256(population.read_bytes()).hexdigest()


def _from_json(row: Mapping[str, Any] | None) -> ListFigures | None:
    if row is None:
        return None
    return ListFigures(
        date.fromisoformat(row["day"]),
        {m["metric"]: measurement_from_json(m) for m in row["measurements"]},
        tuple(outlook_from_json(o) for o in row["outlooks"]),
    )


def _to_json(figures: ListFigures | None) -> dict[str, Any] | None:
    if figures is None:
        return None
    rows = [asdict(m) for _, m in sorted(figures.measurements.items())]
    return {"day": figures.day, "measurements": rows, "outlooks": [asdict(o) for o in figures.outlooks]}
