"""Figures of the files at the end of each 91 days: truck factor, tests, CI, funding and governance.

The ends of these quarters do not depend on the history, so new commits leave the figures of earlier quarters
as they are. One quarter after the other is read; only who changed which file is in memory all the time.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Any

from advisor.collect.git.changes import has_source_suffix, open_changes, read_changes
from advisor.collect.git.dates import Warn, format_day, ignore
from advisor.collect.git.practices import Practice, count_practices, find_practices, load_practices
from advisor.collect.git.trees import list_file_changes
from advisor.collect.git.truck_factor import Authorship, compute_truck_factor
from advisor.collect.git.vendored_files import is_vendored, read_declarations
from advisor.domain.files import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from advisor.collect.git.authors import Commit

EVERY_SECONDS = 91 * 86400
_DEFINITIONS = {
    "truck_factor": "Avelino et al. 2016, source files that are not vendored, exact renames",
    **{practice.metric: practice.title for practice in load_practices()},
}
Figures = dict[str, int | None]


def list_quarter_rows(
    folder: Path,
    commits: Sequence[Commit],
    people: Mapping[tuple[str, str], int],
    changes_file: Path,
    warn: Warn = ignore,
) -> list[dict[str, Any]]:
    """Build the rows of ``counts``: one for each figure and quarter in which it is new or changed.

    Truck factors have a row for each quarter, because they count for 120 days only.

    Args:
        folder: the repository.
        commits: commits without merges, oldest first.
        people: (name, mail) → number of the person.
        changes_file: the file of `changes.open_changes`.
        warn: receives sentences about facts that had to be left out.
    """
    first, last = commits[0].time, commits[-1].time
    times = [*range(first - first % EVERY_SECONDS + EVERY_SECONDS, last, EVERY_SECONDS), last]
    rows: list[dict[str, Any]] = []
    latest: Figures = {}
    for time, figures in _read_quarters(folder, commits, people, times, changes_file, warn):
        rows += [
            {"day": format_day(time), "metric": name, "value": value, "definition": _DEFINITIONS[name]}
            for name, value in figures.items()
            if value is not None and (name == "truck_factor" or value != latest.get(name))
        ]
        latest = figures
    return rows


def read_final_figures(
    folder: Path, commits: Sequence[Commit], people: Mapping[tuple[str, str], int], changes_file: Path
) -> Figures:
    """Return the figures after the last of these commits; see `list_quarter_rows`."""
    return _read_quarters(folder, commits, people, [commits[-1].time], changes_file, ignore)[0][1]


def _read_quarters(
    folder: Path,
    commits: Sequence[Commit],
    people: Mapping[tuple[str, str], int],
    times: Sequence[int],
    changes_file: Path,
    warn: Warn,
) -> list[tuple[int, Figures]]:
    """Return (time, figures) for times in rising order; figures of an earlier run are read again."""
    ends = [bisect_right(commits, time, key=lambda c: c.time) for time in times]
    keys = _find_keys(commits, people, ends)
    with open_changes(changes_file) as db:
        figures: dict[str, Figures] = {
            key: json.loads(text) for key, text in db.execute("SELECT key, figures FROM quarters")
        }
        missing = [end for end, key in zip(ends, keys, strict=True) if key not in figures]
        authorship, tree, start = Authorship(), _Tree(folder), 0
        changes = read_changes(db, folder, [c.sha for c in commits[: max(missing, default=0)]])
        for end, key in zip(ends, keys, strict=True):
            if key in figures:
                continue
            for commit, commit_changes in zip(commits[start:end], islice(changes, end - start), strict=True):
                if not commit.is_bot:
                    authorship.record(people[commit.name, commit.mail], commit_changes)
            start = end
            tree.move_to(commits[end - 1].sha)
            code = tree.list_own_code(warn)
            figures[key] = {
                "truck_factor": compute_truck_factor(authorship, code),
                **count_practices(tree.practices, code),
            }
            db.execute("INSERT OR REPLACE INTO quarters VALUES (?, ?)", (key, json.dumps(figures[key])))
    return [(time, figures[key]) for time, key in zip(times, keys, strict=True)]


class _Tree:
    """The files of one commit after the other: only the differences are read."""

    def __init__(self, folder: Path) -> None:
        self.practices: dict[str, tuple[tuple[Practice, int], ...]] = {}
        self._folder = folder
        self._commit: str | None = None
        self._code: dict[str, bool] = {}  # path → whether the list of vendored paths has it
        self._attributes: dict[str, str] = {}  # path of a .gitattributes → its content

    def move_to(self, commit: str) -> None:
        """Read the files of a commit."""
        for path, blob in list_file_changes(self._folder, self._commit, commit):
            if path.rpartition("/")[2] == ".gitattributes":
                _set(self._attributes, path, blob)
            if blob is None or path not in self._code:
                is_code = has_source_suffix(path.encode())
                _set(self._code, path, is_vendored(path) if blob and is_code else None)
                _set(self.practices, path, (find_practices(path, is_code=is_code) or None) if blob else None)
        self._commit = commit

    def list_own_code(self, warn: Warn) -> set[str]:
        """Return the source files of the project itself."""
        blobs = set(self._attributes.values())
        declarations = read_declarations(self._folder, self._commit or "HEAD", self._code, blobs, warn)
        return {path for path, is_listed in self._code.items() if not declarations.get(path, is_listed)}


def _set(values: dict[str, Any], path: str, value: Any) -> None:
    if value is None:
        values.pop(path, None)
    else:
        values[path] = value


def _find_keys(
    commits: Sequence[Commit], people: Mapping[tuple[str, str], int], ends: Sequence[int]
) -> list[str]:
    """Return a hash of all that the figures after so many commits depend on, for each end in rising order."""
    running = hashlib.sha256()
    for name in ("vendored.toml", "practices.toml"):
        running.update((data_folder() / name).read_bytes())
    keys, start = [], 0
    for end in ends:
        for c in commits[start:end]:
            author = "" if c.is_bot else people[c.name, c.mail]
            running.update(f"{c.sha} {author}\n".encode())
        start = end
        keys.append(running.hexdigest())
    return keys
