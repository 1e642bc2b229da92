"""Truck factor after Avelino, Passos, Hora, Valente: A novel approach for estimating truck factors (2016).

A developer's degree of authorship of a file is 3.293 + 1.098·FA + 0.164·DL - 0.321·ln(1 + AC). FA is 1 for
the developer who added the file, DL counts the developer's own later changes, and AC counts the changes of
all others. The authors of a file are the developers above 0.75 of its highest degree who added it or reach
3.293. The authors with the most files leave one by one until less than half of the files have an author.
Leavers with less than a tenth of the first leaver's files do not count. The paper's own program
(aserg-ufmg/Truck-Factor) does the same; `scripts/replay_truck_factor.py` compares the results.

One difference: a renamed file keeps its authors only if its contents are unchanged, because other renames
need the contents of all files.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from advisor.collect.git.dates import format_day
from advisor.collect.git.trees import list_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from advisor.collect.git.authors import Commit
    from advisor.collect.git.commits import Change

EVERY_DAYS = 91
_DEFINITION = "Avelino et al. 2016, source files, exact renames"

SOURCE_SUFFIXES = (
    ".py", ".pyx", ".pyi", ".ipynb", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cu", ".cuh", ".m",
    ".mm", ".swift", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".js", ".jsx", ".mjs",
    ".ts", ".tsx", ".vue", ".cs", ".r", ".jl", ".lua", ".pl", ".sh", ".coffee", ".erb", ".sql",
)  # fmt: skip
_THIRD_PARTY = re.compile(r"(?:^|/)(?:vendor|third_?party|node_modules)/")


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


def is_source(file: str) -> bool:
    """Return whether a path is source code of the project itself."""
    return file.lower().endswith(SOURCE_SUFFIXES) and not _THIRD_PARTY.search(file)


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


def list_truck_factors(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
) -> list[dict[str, Any]]:
    """Build the rows of ``counts``: one every 91 days, back from the last commit.

    Args:
        folder: the repository.
        commits: commits without merges, oldest first.
        changes: the changes of each commit.
        people: (name, mail) → number of the person.
    """
    times = range(commits[-1].time, commits[0].time - 1, -EVERY_DAYS * 86400)
    return [
        {"day": format_day(time), "metric": "truck_factor", "value": factor, "definition": _DEFINITION}
        for time, factor in _compute_over_time(folder, commits, changes, people, sorted(times))
        if factor is not None
    ]


def compute_final_truck_factor(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
) -> int | None:
    """Return the truck factor after the last of these commits."""
    return next(_compute_over_time(folder, commits, changes, people, [commits[-1].time]))[1]


def _compute_over_time(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
    times: Sequence[int],
) -> Iterator[tuple[int, int | None]]:
    """Yield (time, truck factor) for times in rising order."""
    ends = [bisect_right(commits, time, key=lambda c: c.time) for time in times]
    trees = list_files(folder, [commits[end - 1].sha for end in ends])
    authorship, start = Authorship(), 0
    factor: int | None = None
    is_source_file = cache(is_source)
    for time, end, tree in zip(times, ends, trees, strict=True):
        for commit, commit_changes in zip(commits[start:end], changes[start:end], strict=True):
            if not commit.is_bot:
                source_changes = [change for change in commit_changes if is_source_file(change[1])]
                authorship.record(people[commit.name, commit.mail], source_changes)
        if end > start:  # years can pass without a commit
            factor = compute_truck_factor(authorship, [file for file in tree if is_source_file(file)])
        start = end
        yield time, factor
