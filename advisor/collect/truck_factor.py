"""Truck factor after Avelino, Passos, Hora, Valente: A novel approach for estimating truck factors (2016).

A developer's degree of authorship of a file: 3.293 + 1.098·FA + 0.164·DL - 0.321·ln(1 + AC), where
FA is 1 for who created it, DL counts one's own changes and AC everybody else's. Authors of a file
are those above 0.75 of its highest degree and above 3.293. The authors with the most files leave
one after the other, until less than half of the files have an author left.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SOURCE_SUFFIXES = (
    ".py", ".pyx", ".pyi", ".ipynb", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cu", ".cuh", ".m",
    ".mm", ".swift", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".js", ".jsx", ".mjs",
    ".ts", ".tsx", ".vue", ".cs", ".r", ".jl", ".lua", ".pl", ".sh", ".coffee", ".erb", ".sql",
)  # fmt: skip
_FOREIGN = ("vendor/", "third_party/", "node_modules/", "thirdparty/")


class Authorship:
    """Who changed which file how often, filled commit by commit, oldest first."""

    def __init__(self) -> None:
        self.creator: dict[str, int] = {}
        self.changes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, author: int, files: Collection[str]) -> None:
        """Count one commit."""
        for file in files:
            self.creator.setdefault(file, author)
            self.changes[file][author] += 1


def is_source(file: str) -> bool:
    """Whether a path is source code of the project's own."""
    return file.lower().endswith(SOURCE_SUFFIXES) and not any(
        file.startswith(f) or f"/{f}" in file for f in _FOREIGN
    )


def authors_of(creator: int, changes: Mapping[int, int]) -> list[int]:
    """The authors of one file by their degrees of authorship."""
    every = sum(changes.values())
    degree = {
        a: 3.293 + 1.098 * (a == creator) + 0.164 * n - 0.321 * math.log1p(every - n)
        for a, n in changes.items()
    }
    highest = max(degree.values())
    return [a for a, d in degree.items() if d / highest > 0.75 and (d >= 3.293 or a == creator)]  # noqa: PLR2004


def truck_factor(authorship: Authorship, files: Collection[str]) -> int | None:
    """The truck factor over the files that exist; None where no source file has an author."""
    held: dict[int, set[str]] = defaultdict(set)
    known = [f for f in files if f in authorship.changes]
    for file in known:
        for author in authors_of(authorship.creator[file], authorship.changes[file]):
            held[author].add(file)
    if not known:
        return None
    most = max(len(h) for h in held.values())
    held = {a: h for a, h in held.items() if len(h) >= 0.1 * most}
    authors: dict[str, int] = defaultdict(int)
    for files_held in held.values():
        for file in files_held:
            authors[file] += 1
    covered, factor = sum(1 for n in authors.values() if n), 0
    while held and covered >= 0.5 * len(known):
        leaver = max(held, key=lambda a: (len(held[a]), -a))
        for file in held.pop(leaver):
            authors[file] -= 1
            covered -= authors[file] == 0
        factor += 1
    return factor
