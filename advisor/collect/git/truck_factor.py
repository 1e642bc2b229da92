"""Truck factor after Avelino, Passos, Hora, Valente: A novel approach for estimating truck factors (2016).

A developer's degree of authorship of a file is 3.293 + 1.098·FA + 0.164·DL - 0.321·ln(1 + AC). FA is 1 for
the developer who added the file, DL counts the developer's own later changes, and AC counts the changes of
all others. The authors of a file are the developers above 0.75 of its highest degree who added it or reach
3.293. The authors with the most files leave one by one until less than half of the files have an author.
Leavers with less than a tenth of the first leaver's files do not count. The paper's own program
(aserg-ufmg/Truck-Factor) does the same; `scripts/replay_truck_factor.py` compares the results.

Two differences: a renamed file keeps its authors only if its contents are unchanged, because other renames
need the contents of all files; and vendored files do not count (see `vendored_files`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from advisor.collect.git.changes import Change


class Authorship:
    """Authors of each file: who added it and who changed it; `record` takes commits oldest first."""

    def __init__(self) -> None:
        self.creators: dict[str, set[int]] = {}
        self.changes: dict[str, dict[int, int]] = {}
        self._authors: dict[str, list[int]] = {}

    def record(self, author: int, changes: Iterable[Change]) -> None:
        """Record the changes of one commit; a path that is added twice has two creators."""
        for status, path, old in changes:
            self._authors.pop(path, None)
            if status == "R" and old in self.creators:
                self.creators[path] = set(self.creators[old])
                self.changes[path] = dict(self.changes[old])
            elif status == "D":
                continue
            elif status == "A" or path not in self.creators:
                self.creators.setdefault(path, set()).add(author)
                self.changes.setdefault(path, {})
            if status != "A":
                counts = self.changes[path]
                counts[author] = counts.get(author, 0) + 1

    def find_authors(self, file: str) -> list[int]:
        """Return the authors of a recorded file; the result is cached until the file changes."""
        if file not in self._authors:
            self._authors[file] = find_authors(self.creators[file], self.changes[file])
        return self._authors[file]


def find_authors(creators: Collection[int], changes: Mapping[int, int]) -> list[int]:
    """Return the authors of one file by their degrees of authorship.

    Args:
        creators: people who added the file.
        changes: person → number of later changes.
    """
    total = sum(changes.values())
    degrees = {
        a: 3.293 + 1.098 * (a in creators) + 0.164 * changes.get(a, 0)
        - 0.321 * math.log1p(total - changes.get(a, 0))
        for a in {*creators, *changes}
    }  # fmt: skip
    highest = max(degrees.values())
    return [a for a, d in degrees.items() if d / highest > 0.75 and (d >= 3.293 or a in creators)]


def compute_truck_factor(authorship: Authorship, files: Collection[str]) -> int | None:
    """Return the truck factor of the existing files; None if no source file has an author."""
    files_by_author: dict[int, list[str]] = defaultdict(list)
    author_counts: dict[str, int] = {}
    for file in files:
        if file in authorship.creators:
            file_authors = authorship.find_authors(file)
            author_counts[file] = len(file_authors)
            for author in file_authors:
                files_by_author[author].append(file)
    if not author_counts:
        return None
    ranking = sorted(files_by_author, key=lambda a: (-len(files_by_author[a]), a))
    remaining, leavers = len(author_counts), []
    for author in ranking:
        if remaining < 0.5 * len(author_counts):
            break
        leavers.append(author)
        for file in files_by_author[author]:
            author_counts[file] -= 1
            remaining -= author_counts[file] == 0
    most = len(files_by_author[ranking[0]])
    return sum(len(files_by_author[a]) >= 0.1 * most for a in leavers)
