"""Walk a history once: from which commit on, and until which, did the tree name each model family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.coverage.tree import Blobs, Tree
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import git
from advisor.domain.families import Family

_GONE = "0" * 40


@dataclass(frozen=True)
class Span:
    """How long something was named, and what shows it.

    Attributes:
        first, last: the day on which it came to be named, and ceased to be; None: it still is.
        label: the commit or release in which it stood first.
        path, name: where, and as what.
    """

    first: date
    label: str
    path: str
    name: Name
    last: date | None = None


class Release(NamedTuple):
    """A version of the package: what it is called, when it came out, from which commit."""

    version: str
    day: date
    commit: str


class _Step(NamedTuple):
    label: str
    day: date
    files: list[tuple[str, str]]  # path, blob


def on_main(folder: Path, extractor: Extractor, families: Sequence[Family]) -> dict[str, Span]:
    """Read the default branch from its first commit to its last.

    A commit counts on the day on which the default branch came to hold it: the committer's date along
    first parents, not the author's, which may be weeks before.

    Returns:
        family → span; under ``ANYTHING`` where whatever transformers loads is loaded.

    Raises:
        GitFailed: git ended with an error.
    """
    return _follow(folder, list(_commits(folder, extractor)), extractor, families)


def in_releases(
    folder: Path, releases: Iterable[Release], extractor: Extractor, families: Sequence[Family]
) -> dict[str, Span]:
    """The same over the trees of releases, oldest first."""
    steps, before = [], dict[str, str]()
    for release in sorted(releases, key=lambda r: r.day):
        now = files_at(folder, release.commit, extractor)
        changed = [(path, blob) for path, blob in now.items() if before.get(path) != blob]
        gone = [(path, _GONE) for path in before.keys() - now.keys()]
        steps.append(_Step(release.version, release.day, changed + gone))
        before = now
    return _follow(folder, steps, extractor, families)


def in_files(
    files: Mapping[str, str], extractor: Extractor, families: Sequence[Family]
) -> dict[str, tuple[str, Name]]:
    """What files in memory (path → text), such as those of a wheel, name: family → (path, name)."""
    tree = Tree(extractor, families)
    for path, text in files.items():
        if extractor.reads(path):
            tree.put_text(path, text)
    return tree.holders


def files_at(folder: Path, commit: str, extractor: Extractor) -> dict[str, str]:
    """Path → blob of what the extractor reads of one commit."""
    listed = git(folder, "ls-tree", "-r", "-z", commit, "--", *extractor.paths)
    entries = (line.split("\t", 1) for line in filter(None, listed.split("\0")))
    return {
        path: about.split()[2]
        for about, path in entries
        if about.split()[1] == "blob" and extractor.reads(path)
    }


def _follow(
    folder: Path, steps: Sequence[_Step], extractor: Extractor, families: Sequence[Family]
) -> dict[str, Span]:
    fetch_blobs(folder, {blob for step in steps for _, blob in step.files if blob != _GONE})
    found: dict[str, Span] = {}
    tree = Tree(extractor, families)
    with Blobs(folder) as blobs:
        for step in steps:
            for path, blob in step.files:
                if blob == _GONE:
                    tree.remove(path)
                else:
                    tree.put(path, blob, blobs)
            now = tree.holders
            for key, holder in now.items():
                if key not in found:
                    found[key] = Span(step.day, step.label, *holder)
                elif found[key].last is not None:
                    found[key] = replace(found[key], last=None)
            for key in found.keys() - now.keys():
                if found[key].last is None:
                    found[key] = replace(found[key], last=step.day)
    return found


def _commits(folder: Path, extractor: Extractor) -> Iterator[_Step]:
    log = git(
        folder, "log", "HEAD", "--first-parent", "-m", "--reverse", "--raw", "--no-abbrev", "--no-renames",
        "-z", "--format=%x1e%H %ct", "--", *extractor.paths,
    )  # fmt: skip
    for record in log.split("\x1e")[1:]:
        head, _, rest = record.partition("\0")
        sha, time = head.split()
        fields = [f for f in rest.lstrip("\n").split("\0") if f]
        files = [
            (path, about.split()[3])
            for about, path in zip(fields[::2], fields[1::2], strict=True)
            if extractor.reads(path)
        ]
        if files:
            yield _Step(sha, datetime.fromtimestamp(int(time), UTC).date(), files)
