"""Two runs side by side: what differed in what was asked, in what it ran on, and in what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.record import Record
from finetune.spec import iterate_leaves

_PARTS = ("spec", "data", "model", "versions", "machine")
_RESULTS = ("losses", "timings", "memory")


@dataclass(frozen=True)
class Difference:
    """One leaf that is not the same: part, dotted name, both values (None: not there)."""

    part: str
    name: str
    left: Any
    right: Any

    @property
    def is_cause(self) -> bool:
        """Whether it was set before the run, rather than found out by it."""
        return self.part in _PARTS


def find_differences(left: Record, right: Record) -> tuple[Difference, ...]:
    """Every leaf in which two runs differ, causes first. The output folder is no cause and left out."""
    a, b = _flat(left), _flat(right)
    found = []
    for part in (*_PARTS, *_RESULTS):
        for name in sorted(a[part].keys() | b[part].keys()):
            values = a[part].get(name), b[part].get(name)
            if values[0] != values[1]:
                found.append(Difference(part, name, *values))
    return tuple(found)


def _flat(told: Record) -> dict[str, dict[str, Any]]:
    environment: Mapping[str, Any] = told.environment
    parts: dict[str, Mapping[str, Any]] = {
        "spec": told.spec,
        "data": told.data,
        "model": told.model,
        "versions": environment.get("packages", {}),
        "machine": environment.get("machine", {}),
        "losses": told.losses,
        "timings": told.timings_seconds,
        "memory": told.memory_bytes,
    }
    return {part: {n: v for n, v in iterate_leaves(tree) if n != "output"} for part, tree in parts.items()}
