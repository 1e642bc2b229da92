"""Find the first and last day on which the tree named each model family, in one walk of the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from advisor.collect.coverage.extractor import Extractor, Name
from advisor.collect.coverage.span import Span
from advisor.collect.coverage.tree import Key, Tree
from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs
from advisor.collect.git.command import run_git
from advisor.collect.git.dates import choose_time
from advisor.domain.families import Family

REMOVAL = "0" * 40
"""In place of the blob of a file that a commit removes."""


class PackageRelease(NamedTuple):
    """A version of the package, its day and its commit."""

    version: str
    day: date
    commit: str


class Step(NamedTuple):
    """A commit or a release: its name, its day and the files that it changes."""

    label: str
    day: date
    files: list[tuple[str, str]]  # path, blob


def follow_main_branch(folder: Path, extractor: Extractor, families: Sequence[Family]) -> dict[Key, Span]:
    """Find the span of each family on the default branch.

    A commit counts on the day on which it reached the default branch: the committer's date along first
    parents. The author's date may be weeks earlier.

    Returns:
        key → span; ``ANYTHING`` is the span in which the library loads every model of transformers.

    Raises:
        GitFailed: git ended with an error.
    """
    return _find_spans(
        folder, list(list_commits(folder, extractor.paths, extractor.is_relevant)), extractor, families
    )


def follow_releases(
    folder: Path, releases: Iterable[PackageRelease], extractor: Extractor, families: Sequence[Family]
) -> dict[Key, Span]:
    """Find the span of each family over the releases, oldest first."""
    steps, old_files = [], dict[str, str]()
    for release in sorted(releases, key=lambda r: r.day):
        files = list_files(folder, release.commit, extractor)
        updates = [(path, blob) for path, blob in files.items() if old_files.get(path) != blob]
        removals = [(path, REMOVAL) for path in old_files.keys() - files.keys()]
        steps.append(Step(release.version, release.day, updates + removals))
        old_files = files
    return _find_spans(folder, steps, extractor, families)


def find_families(
    files: Mapping[str, str], extractor: Extractor, families: Sequence[Family]
) -> dict[Key, tuple[str, Name]]:
    """Find the families in files (path → text), such as those of a wheel: key → (path, name)."""
    tree = Tree(extractor, families)
    for path, text in files.items():
        if extractor.is_relevant(path):
            tree.put_text(path, text)
    return tree.evidence


def list_files(folder: Path, commit: str, extractor: Extractor) -> dict[str, str]:
    """Return path → blob of the files in one commit that the extractor reads."""
    output = run_git(folder, "ls-tree", "-r", "-z", commit, "--", *extractor.paths)
    entries = (line.split("\t", 1) for line in filter(None, output.split("\0")))
    return {
        path: fields.split()[2]
        for fields, path in entries
        if fields.split()[1] == "blob" and extractor.is_relevant(path)
    }


def _find_spans(
    folder: Path, steps: Sequence[Step], extractor: Extractor, families: Sequence[Family]
) -> dict[Key, Span]:
    contents = {blob for step in steps for _, blob in step.files if blob != REMOVAL}
    fetch_blobs(folder, contents, max_bytes=2**31)  # many source files
    spans: dict[Key, Span] = {}
    tree = Tree(extractor, families)
    with BlobReader(folder, contents) as blobs:
        for step in steps:
            for path, blob in step.files:
                if blob == REMOVAL:
                    tree.remove(path)
                else:
                    tree.put_blob(path, blob, blobs)
            keys = tree.keys
            for key in keys:
                if key not in spans:
                    spans[key] = Span(step.day, step.label, *tree.find_evidence(key))
                elif spans[key].last is not None:
                    spans[key] = replace(spans[key], last=None)
            for key in spans.keys() - keys:
                if spans[key].last is None:
                    spans[key] = replace(spans[key], last=step.day)
    return spans


def list_commits(
    folder: Path, paths: Iterable[str], is_relevant: Callable[[str], bool], since: str | None = None
) -> Iterator[Step]:
    """Yield the commits of the default branch along first parents, oldest first, that change such files.

    Args:
        folder: the repository.
        paths: git pathspecs of all files that can be relevant.
        is_relevant: whether a path is.
        since: leave out this commit and those before it.

    Raises:
        GitFailed: git ended with an error.
    """
    commits = "HEAD" if since is None else f"{since}..HEAD"
    log = run_git(
        folder, "log", commits, "--first-parent", "-m", "--reverse", "--raw", "--no-abbrev", "--no-renames",
        "-z", "--format=%x1e%H %ct %at", "--", *paths,
    )  # fmt: skip
    time = 0  # a commit without a date counts on the day of the commit before
    for record in log.split("\x1e")[1:]:
        header, _, rest = record.partition("\0")
        sha, commit_time, author_time = header.split(" ")
        time = choose_time(commit_time, author_time, time)
        fields = [f for f in rest.lstrip("\n").split("\0") if f]
        files = [
            (path, about.split()[3])
            for about, path in zip(fields[::2], fields[1::2], strict=True)
            if is_relevant(path)
        ]
        if files:
            yield Step(sha, datetime.fromtimestamp(time, UTC).date(), files)
