"""The time in which a tree names something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from advisor.collect.coverage.extractor import Name


@dataclass(frozen=True)
class Span:
    """The time in which a tree names something, and the evidence.

    Attributes:
        first: day on which the tree first names it.
        label: commit or release in which it first does.
        path: file that names it.
        name: the name in that file.
        last: day on which the name was removed; None: it is still there.
    """

    first: date
    label: str
    path: str
    name: Name
    last: date | None = None
