"""Truck factor after Avelino, Passos, Hora, Valente: A novel approach for estimating truck factors (2016).

A developer's degree of authorship of a file: 3.293 + 1.098·FA + 0.164·DL - 0.321·ln(1 + AC), where
FA is 1 for who added it, DL counts one's own later changes and AC everybody else's. Authors of a
file are those above 0.75 of its highest degree who either added it or reach 3.293. The authors
with the most files leave one after the other, until less than half of the files have an author
left; those among them with under a tenth of the first one's files are not counted. So does the
authors' own program (aserg-ufmg/Truck-Factor); `scripts/replay_truck_factor.py` compares.

One difference: a renamed file keeps its authors only if its contents stayed the same, since
anything less exact needs the contents of all files.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from advisor.collect.git.authors import is_bot
from advisor.collect.git.commits import day_of
from advisor.collect.git.trees import files_of

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
_FOREIGN = re.compile(r"(?:^|/)(?:vendor|third_?party|node_modules)/")


class Authorship:
    """Who added and who changed which file, filled commit by commit, oldest first."""

    def __init__(self) -> None:
        self.added: dict[str, set[int]] = {}
        self.changes: dict[str, dict[int, int]] = {}
        self._authors: dict[str, list[int]] = {}

    def record(self, author: int, changes: Iterable[Change]) -> None:
        """Take in what one commit did. A path that is added again counts as added by both."""
        for status, path, old in changes:
            self._authors.pop(path, None)
            if status == "R" and old in self.added:
                self.added[path] = set(self.added[old])
                self.changes[path] = dict(self.changes[old])
            elif status == "D":
                continue
            elif status == "A" or path not in self.added:
                self.added.setdefault(path, set()).add(author)
                self.changes.setdefault(path, {})
            if status != "A":
                of_file = self.changes[path]
                of_file[author] = of_file.get(author, 0) + 1

    def authors(self, file: str) -> list[int]:
        """The authors of a file that was added, worked out anew after each change of it."""
        if file not in self._authors:
            self._authors[file] = authors_of(self.added[file], self.changes[file])
        return self._authors[file]


def is_source(file: str) -> bool:
    """Whether a path is source code of the project's own."""
    return file.lower().endswith(SOURCE_SUFFIXES) and not _FOREIGN.search(file)


def authors_of(added: Collection[int], changes: Mapping[int, int]) -> list[int]:
    """The authors of one file by their degrees of authorship."""
    every = sum(changes.values())
    degree = {
        a: 3.293 + 1.098 * (a in added) + 0.164 * changes.get(a, 0)
        - 0.321 * math.log1p(every - changes.get(a, 0))
        for a in {*added, *changes}
    }  # fmt: skip
    highest = max(degree.values())
    return [a for a, d in degree.items() if d / highest > 0.75 and (d >= 3.293 or a in added)]


def truck_factor(authorship: Authorship, files: Collection[str]) -> int | None:
    """The truck factor over the files that exist; None where no source file has an author."""
    held: dict[int, list[str]] = defaultdict(list)
    authors: dict[str, int] = {}
    for file in files:
        if file in authorship.added:
            found = authorship.authors(file)
            authors[file] = len(found)
            for author in found:
                held[author].append(file)
    if not authors:
        return None
    ranked = sorted(held, key=lambda a: (-len(held[a]), a))
    covered, leavers = len(authors), []
    for author in ranked:
        if covered < 0.5 * len(authors):
            break
        leavers.append(author)
        for file in held[author]:
            authors[file] -= 1
            covered -= authors[file] == 0
    return sum(len(held[a]) >= 0.1 * len(held[ranked[0]]) for a in leavers)


def truck_factors(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
) -> list[dict[str, Any]]:
    """Rows of ``counts`` for every quarter of a year back from the last commit.

    Args:
        folder: the repository.
        commits: oldest first.
        changes: what each of them did.
        people: (name, mail) → number.
    """
    times = range(commits[-1].time, commits[0].time - 1, -EVERY_DAYS * 86400)
    return [
        {"day": day_of(time), "metric": "truck_factor", "value": factor, "definition": _DEFINITION}
        for time, factor in _over_time(folder, commits, changes, people, sorted(times))
        if factor is not None
    ]


def truck_factor_at(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
) -> int | None:
    """The truck factor after the last of these commits."""
    return next(_over_time(folder, commits, changes, people, [commits[-1].time]))[1]


def _over_time(
    folder: Path,
    commits: Sequence[Commit],
    changes: Sequence[Sequence[Change]],
    people: Mapping[tuple[str, str], int],
    times: Sequence[int],
) -> Iterator[tuple[int, int | None]]:
    """(time, truck factor) for times in rising order."""
    ends = [bisect_right(commits, time, key=lambda c: c.time) for time in times]
    trees = files_of(folder, [commits[end - 1].sha for end in ends])
    authorship, at = Authorship(), 0
    is_counted = cache(is_source)
    for time, end, tree in zip(times, ends, trees, strict=True):
        for commit, changed in zip(commits[at:end], changes[at:end], strict=True):
            if not is_bot(commit.name, commit.mail):
                of_source = [change for change in changed if is_counted(change[1])]
                authorship.record(people[commit.name, commit.mail], of_source)
        at = end
        yield time, truck_factor(authorship, [file for file in tree if is_counted(file)])
