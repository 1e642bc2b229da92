"""Facts from a git history: commits, releases, change requests, declared status, truck factor.

A remote history is cloned without file contents (blob:none) into the user's cache and fetched
incrementally; a local clone is read where it lies. While reading, git may not reach out, runs without
a shell and without the user's configuration, and every exit code counts: a log that dies half-way
is no history.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor import facts
from advisor.collect.authors import Commit, is_bot, number_people, organisations
from advisor.collect.status import declared_status
from advisor.collect.truck_factor import Authorship, is_source, truck_factor
from advisor.errors import GitFailed, InputError, RepositoryNotFound, SnapshotMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_VERSION = re.compile(r"^(?:[a-z][a-z0-9_-]*[-_/])?v?\d+(?:\.\d+)+", re.IGNORECASE)
_PRERELEASE = re.compile(r"\d[-._]?(?:a|b|c|rc|alpha|beta|pre|preview|dev|nightly)[-._]?\d*", re.IGNORECASE)
_MERGED = re.compile(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)\b")
_README = ("README.md", "README.rst", "README.txt", "README", "readme.md")
_FETCHED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/pull/*:refs/pull/*")
TRUCK_FACTOR_DAYS = 91


def collect(
    where: str,
    store: Path,
    cache: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Read one history into the store, in place of what the store had from it.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        retrieved_on: the day that the rows carry.
        repository: ``owner/name`` where a local clone cannot say it.
        progress: takes lines for a person.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is no repository, URL or path.
        RepositoryNotFound: it does not exist.
        GitFailed: git ended with an error; nothing was written.
    """
    folder, name = _locate(where, cache, repository, progress)
    head = _git(folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
    commits, files = read_commits(folder)
    if not commits:
        raise GitFailed(f"{where}: the history is empty")
    about = {"source": f"git:{name}@{head[:12]}", "retrieved_at": retrieved_on.isoformat()}
    people = number_people(commits)
    tables = {
        "contributions": contributions(commits, people),
        "releases": _releases(folder),
        "threads": _change_requests(folder, retrieved_on),
        "repositories": _statuses(folder),
    }
    factors = _truck_factors(folder, commits, files, people)
    for table, rows in tables.items():
        if rows:
            facts.write(store, table, name, [{"repository": name, **r, **about} for r in rows], head=head)
    kept = [r for r in _existing(store, name) if not r["source"].startswith("git:")]
    counted = [{"repository": name, **r, **about} for r in factors]
    facts.write(store, "counts", name, [*kept, *counted], head=head)
    progress(f"{name}: {len(commits)} commits, {len(tables['threads'])} change requests")
    return name


def _existing(store: Path, name: str) -> list[dict[str, Any]]:
    try:
        return facts.read(facts.open_store(store), "counts", name)
    except SnapshotMissing:
        return []


def _locate(
    where: str, cache: Path, repository: str | None, progress: Callable[[str], None]
) -> tuple[Path, str]:
    if where.startswith("-") or "\0" in where:
        raise InputError(f"{where!r} is not a repository; give owner/name, a URL or a path")
    if Path(where).is_dir():
        return Path(where), facts.check_repository(repository or _origin(Path(where)))
    if re.match(r"(?:https|ssh|file)://", where):
        url, name = (
            where,
            repository or "/".join(where.removesuffix(".git").rstrip("/").split("/")[-2:]),
        )
    else:
        name = facts.check_repository(where)
        url = f"https://github.com/{name}.git"
    facts.check_repository(name)
    return _cloned(url, cache / f"{name.replace('/', '__')}.git", progress), name


def _origin(folder: Path) -> str:
    try:
        url = _git(folder, "config", "--get", "remote.origin.url").strip()
    except GitFailed:
        raise InputError(
            f"{folder} names no origin; say whose history it is with --name owner/name"
        ) from None
    return "/".join(re.split(r"[/:]", url.removesuffix(".git").rstrip("/"))[-2:])


def _cloned(url: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """A bare clone without file contents, made whole or not at all, then brought up to date."""
    if not folder.exists():
        progress(f"cloning {url}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".cloning-") as temporary:
            fresh = Path(temporary) / "git"
            _git(
                None,
                "clone",
                "--quiet",
                "--bare",
                "--filter=blob:none",
                "--",
                url,
                str(fresh),
                remote=True,
            )
            shutil.move(fresh, folder)
    progress(f"fetching {url}")
    _git(
        folder,
        "fetch",
        "--quiet",
        "--prune",
        "--filter=blob:none",
        "origin",
        *_FETCHED,
        remote=True,
    )
    return folder


def _git(folder: Path | None, *arguments: str, remote: bool = False, given: str | None = None) -> str:
    """Run git; return what it printed.

    Raises:
        RepositoryNotFound: a remote says so.
        GitFailed: any other exit code but 0.
    """
    place = [] if folder is None else ["-C", str(folder)]
    run = subprocess.run(
        ["git", *place, *arguments],
        input=given,
        capture_output=True,
        env=_environment(remote=remote),
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["no message"])[-1]
        if remote and re.search(r"not found|does not (?:exist|appear)|could not read Username", run.stderr):
            raise RepositoryNotFound(f"no such repository, or no right to see it: {said}")
        raise GitFailed(f"git {arguments[0]} on {folder or 'a new clone'} failed: {said}")
    return run.stdout


def _environment(*, remote: bool) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "SSL_CERT_FILE", "https_proxy"}}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if remote else "none",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


def read_commits(folder: Path) -> tuple[list[Commit], list[list[str]]]:
    """The default branch's commits without merges, oldest first, and the files of each.

    The time is the committer's: it says when the commit came to be as it is, which an author's
    date, set by hand or years old, does not.
    """
    log = _git(
        folder, "log", "HEAD", "--no-merges", "--use-mailmap", "--no-renames", "--name-only", "-z",
        "--format=%x1e%H%x1f%aN%x1f%aE%x1f%ct", "--",
    )  # fmt: skip
    commits, files = [], []
    for record in log.split("\x1e")[1:]:
        head, _, rest = record.partition("\x00")
        sha, name, mail, time = head.split("\x1f")
        commits.append(Commit(sha, name, mail, int(time)))
        files.append([f for f in rest.strip("\n\x00").split("\x00") if f])
    order = sorted(range(len(commits) - 1, -1, -1), key=lambda i: commits[i].time)
    return [commits[i] for i in order], [files[i] for i in order]


def contributions(commits: Sequence[Commit], people: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Rows of the table: commits a day, person and organisation."""
    known = organisations(people)
    bots = {identity for identity in people if is_bot(*identity)}
    made: dict[tuple[int, int, str | None, bool], int] = defaultdict(int)
    for c in commits:
        identity = (c.name, c.mail)
        made[c.time // 86400, people[identity], known.get(c.mail), identity in bots] += 1
    return [
        {"day": _day(day), "author": author, "organisation": o, "is_bot": bot, "commits": n}
        for (day, author, o, bot), n in made.items()
    ]


def _day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _releases(folder: Path) -> list[dict[str, Any]]:
    tags = _git(folder, "for-each-ref", "--format=%(refname:lstrip=2)%09%(creatordate:unix)", "refs/tags")
    rows = []
    for line in tags.splitlines():
        tag, _, time = line.partition("\t")
        if time and _VERSION.match(tag):
            day = _day(int(time) // 86400)
            rows.append({"tag": tag, "released_on": day, "is_prerelease": bool(_PRERELEASE.search(tag))})
    return rows


def _change_requests(folder: Path, retrieved_on: date) -> list[dict[str, Any]]:
    """Change requests from ``refs/pull``.

    Merged is what a commit of the default branch names ("(#12)", "Merge pull request #12") or
    whose head is an ancestor. Git does not know when a request was opened: the date of its head is
    taken, cut at the earliest merge of any later number, since numbers are given in order. An
    unmerged request without a merge ref is closed (or in conflict) by the day of retrieval.
    """
    refs = _git(
        folder,
        "for-each-ref",
        "--format=%(refname)%09%(committerdate:unix)%09%(objectname)",
        "refs/pull",
    )
    heads: dict[int, tuple[int, str]] = {}
    mergeable = set()
    for line in refs.splitlines():
        ref, time, sha = line.split("\t")
        asked = int(ref.split("/")[2])
        if ref.endswith("/merge"):
            mergeable.add(asked)
        elif ref.endswith("/head") and time:
            heads[asked] = (int(time), sha)
    merged = _merged(folder, heads) if heads else {}
    rows, earliest = [], 2**62
    for number in sorted(heads, reverse=True):
        done = merged.get(number)
        earliest = min(earliest, done or earliest)
        opened = min(heads[number][0], earliest)
        row: dict[str, Any] = {
            "kind": "change_request",
            "number": number,
            "opened_at": _time(opened),
            "is_bot": False,
        }
        if done is not None:
            row |= {"closed_at": _time(done), "merged_at": _time(done)}
        elif number not in mergeable:
            row |= {"closed_by": f"{retrieved_on} 00:00:00"}
        rows.append(row)
    return rows


def _merged(folder: Path, heads: dict[int, tuple[int, str]]) -> dict[int, int]:
    log = _git(folder, "log", "HEAD", "-z", "--format=%H%x1f%ct%x1f%s", "--")
    times: dict[str, int] = {}
    merged: dict[int, int] = {}
    for record in filter(None, log.split("\x00")):
        sha, time, subject = record.split("\x1f", 2)
        times[sha] = int(time)
        if found := _MERGED.search(subject):
            number = int(found[1] or found[2])
            merged[number] = min(merged.get(number, 2**62), int(time))
    for number, (_, sha) in heads.items():
        if sha in times:
            merged.setdefault(number, times[sha])
    return merged


def _statuses(folder: Path) -> list[dict[str, Any]]:
    """One row for the first README and one for each change of what it declares."""
    log = _git(folder, "log", "HEAD", "--format=%H %ct", "--reverse", "--", *_README)
    versions = [(sha, int(time)) for sha, time in (line.split() for line in log.splitlines())]
    rows: list[dict[str, Any]] = []
    for sha, time, path, text in _readmes(folder, versions):
        status, sentence = declared_status(text)
        if not rows or rows[-1]["declared_status"] != status:
            rows.append(
                {
                    "observed_on": _day(time // 86400),
                    "declared_status": status,
                    "evidence": sentence,
                    "evidence_path": path,
                    "evidence_commit": sha,
                }
            )
    return rows


def _readmes(folder: Path, versions: list[tuple[str, int]]) -> Iterator[tuple[str, int, str, str]]:
    """(commit, time, path, text) of each version of the README that can be had.

    A clone without contents is asked for just these files, in one fetch.
    """
    asked = "".join(f"{sha}:{path}\n" for sha, _ in versions for path in _README)
    _prefetch(folder, [sha for sha, _ in versions])
    process = subprocess.run(
        ["git", "-C", str(folder), "cat-file", "--batch"],
        input=asked.encode(),
        capture_output=True,
        env=_environment(remote=False),
        check=False,
    )
    output, at = process.stdout, 0
    for sha, time in versions:
        for path in _README:
            end = output.find(b"\n", at)
            if end < 0:
                return
            header, at = output[at:end].split(), end + 1
            if len(header) == 3 and header[1] == b"blob":  # noqa: PLR2004
                size = int(header[2])
                yield sha, time, path, output[at : at + size].decode("utf-8", "replace")
                at += size + 1


def _prefetch(folder: Path, shas: list[str]) -> None:
    try:
        promisor = _git(folder, "config", "--get", "remote.origin.promisor").strip() == "true"
    except GitFailed:
        return
    if not promisor or not shas:
        return
    blobs = set()
    for sha in shas:
        for line in _git(folder, "ls-tree", sha, "--", *_README).splitlines():
            blobs.add(line.split()[2])
    given = "".join(f"{b}\n" for b in sorted(blobs))
    _git(
        folder,
        "fetch",
        "--quiet",
        "--no-tags",
        "--filter=blob:none",
        "--stdin",
        "origin",
        remote=True,
        given=given,
    )


def _truck_factors(
    folder: Path,
    commits: Sequence[Commit],
    files: Sequence[list[str]],
    people: dict[tuple[str, str], int],
) -> list[dict[str, Any]]:
    """Rows of `counts` for every quarter of a year back from the last commit."""
    last = commits[-1].time
    days = range(last, commits[0].time, -TRUCK_FACTOR_DAYS * 86400)
    rows, authorship, at = [], Authorship(), 0
    for until in sorted(days):
        while at < len(commits) and commits[at].time <= until:
            c = commits[at]
            if not is_bot(c.name, c.mail):
                authorship.add(people[c.name, c.mail], [f for f in files[at] if is_source(f)])
            at += 1
        tree = _git(folder, "ls-tree", "-r", "-z", "--name-only", commits[at - 1].sha)
        factor = truck_factor(authorship, [f for f in tree.split("\0") if is_source(f)])
        if factor is not None:
            definition = "Avelino et al. 2016, source files, changes without rename detection"
            day = _day(until // 86400)
            rows.append({"day": day, "metric": "truck_factor", "value": factor, "definition": definition})
    return rows
