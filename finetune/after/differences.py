"""The differences between two runs: in their inputs, their machine and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.record import Record
from finetune.spec import iterate_leaves

_INPUTS = ("spec", "data", "model", "versions", "machine")
_RESULTS = ("losses", "timings", "memory")


@dataclass(frozen=True)
class Difference:
    """A field with different values in two runs: part, dotted name, both values (None if missing)."""

    part: str
    name: str
    first: Any
    second: Any

    @property
    def is_cause(self) -> bool:
        """Whether the field was set before the run, and is not a result of it."""
        return self.part in _INPUTS


def find_differences(first: Record, second: Record) -> tuple[Difference, ...]:
    """Return every field in which two runs differ, causes first; the output folder does not count."""
    a, b = _flatten(first), _flatten(second)
    differences = []
    for part in (*_INPUTS, *_RESULTS):
        for name in sorted(a[part].keys() | b[part].keys()):
            values = a[part].get(name), b[part].get(name)
            if values[0] != values[1]:
                differences.append(Difference(part, name, *values))
    return tuple(differences)


def _flatten(record: Record) -> dict[str, dict[str, Any]]:
    environment: Mapping[str, Any] = record.environment
    parts: dict[str, Mapping[str, Any]] = {
        "spec": record.spec,
        "data": record.data,
        "model": record.model,
        "versions": environment.get("packages", {}),
        "machine": environment.get("machine", {}),
        "losses": record.losses,
        "timings": record.timings_seconds,
        "memory": record.memory_bytes,
    }
    return {part: {n: v for n, v in iterate_leaves(tree) if n != "output"} for part, tree in parts.items()}
