"""Read the threads and releases of one repository to their end, page by page, and write them as facts.

Issues are read in the order of their last change, oldest first, from where the last reading ended:
what changes meanwhile moves to the end and is met again. Change requests and discussions cannot be
asked for by date: the first reading goes the same way, later ones from the newest back to what is
known. Where the source's total and ours differ afterwards, all is read once more: something was
deleted, moved or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from advisor.collect.github import protocol, queries, shapes
from advisor.collect.github.asking import Asking
from advisor.collect.github.queries import KINDS, Page
from advisor.collect.github.state import Kept, Progress, State
from advisor.collect.http.messages import Answer, TooHeavy, TryAgain
from advisor.collect.http.shapes import read_as, seconds
from advisor.collect.outcome import Tell
from advisor.errors import Unsound
from advisor.facts import writing

START, LARGEST, SMALLEST, GROWTH = 50, 100, 10, 10
NEWEST = 25  # how many of the newest are looked at where "changed since" cannot be asked
FOLLOWED_TOGETHER = 25
SOURCE = "github:graphql"


@dataclass(frozen=True)
class Repository:
    """One repository on its way into the store: the name it was asked for by, and what GitHub says."""

    name: str
    seen: shapes.Overview

    @property
    def owner_and_name(self) -> tuple[str, str]:
        """Its name on GitHub now."""
        owner, _, name = self.seen.known_as.partition("/")
        return owner, name

    def totals(self) -> dict[str, int]:
        """How many GitHub says there are of each kind; a tracker that is switched off has no entry."""
        pulls = (self.seen.openPulls, self.seen.closedPulls, self.seen.mergedPulls)
        found = {"pullRequests": sum(p.totalCount for p in pulls), "releases": self.seen.releases.totalCount}
        if self.seen.has_issues:
            found["issues"] = self.seen.openIssues.totalCount + self.seen.closedIssues.totalCount
        if self.seen.has_discussions:
            found["discussions"] = self.seen.discussions.totalCount
        return {kind: found[kind] for kind in KINDS if kind in found}


@dataclass(frozen=True)
class _Read:
    """A page after all checks: its rows, the latest and earliest change, what comes next."""

    rows: list[Kept]
    changes: list[str]
    cursor: str | None
    total: int


def next_page(kind: str, progress: Progress, total: int, have: int, size: int) -> Page:
    """What is to be asked next of a kind."""
    if kind == "releases":
        wanted = min(size, NEWEST if progress.known_until else max(1, total - have + 1))
        return Page(wanted, progress.cursor, is_ascending=False)
    if progress.known_until is None:
        return Page(min(size, max(SMALLEST, total - have + 1)), progress.cursor)
    if kind in queries.HAS_SINCE:
        return Page(size, progress.cursor, since=progress.known_until)
    return Page(min(size, NEWEST), progress.cursor, is_ascending=False)


async def read_all(asking: Asking, state: State, repository: Repository, now: datetime, tell: Tell) -> None:
    """Bring every kind up to date in the state.

    Raises:
        CollectError: a page could not be had; what came before it is kept.
    """
    totals = repository.totals()
    reading = {kind: state.progress(repository.name, kind) for kind in totals}
    have = {kind: _have(state, repository.name, kind, p) for kind, p in reading.items()}
    once_more = set(totals)
    size = START
    while reading:
        wanted = {k: next_page(k, p, totals[k], have[k], size) for k, p in reading.items()}
        document = queries.pages(*repository.owner_and_name, wanted)

        def read(answer: Answer, wanted: Mapping[str, Page] = wanted) -> dict[str, _Read]:
            return _read(asking.read(answer), repository, wanted)

        try:
            found = await asking.ask(document, read, may_shrink=size > SMALLEST)
        except TooHeavy as error:
            size = max(SMALLEST, size // 2)
            tell("smaller", {"repository": repository.name, "size": size, "reason": str(error)})
            continue
        except protocol.StaleCursor:
            if all(p.cursor is None for p in reading.values()):
                raise
            reading = {kind: replace(p, cursor=None) for kind, p in reading.items()}
            continue
        size = min(LARGEST, size + GROWTH)
        for kind, page in found.items():
            following = _take(state, repository.name, kind, reading[kind], page, now)
            have[kind] = have[kind] + len(page.rows) if following else state.count(repository.name, kind)
            tell("page", {"repository": repository.name, "kind": kind, "have": have[kind], "of": page.total})
            if following is not None:
                reading[kind] = following
                continue
            del reading[kind]
            again = _check_total(state, repository.name, kind, page.total, may_repeat=kind in once_more)
            if again is not None:
                once_more.discard(kind)
                reading[kind], have[kind] = again, 0
    await _follow(asking, state, repository, tell)


def _have(state: State, name: str, kind: str, progress: Progress) -> int:
    return state.count(name, kind) if progress.number == 1 else 0


def _read(data: protocol.Data, repository: Repository, wanted: Mapping[str, Page]) -> dict[str, _Read]:
    answer = protocol.of_repository(protocol.whole(data), "repository")
    if answer.get("databaseId") != repository.seen.github_id:
        raise Unsound(f"{repository.seen.known_as} became another repository while it was read")
    found = {}
    for kind, page in wanted.items():
        where = f"{kind} of {repository.seen.known_as}"
        connection = read_as(shapes.Connection, answer.get(kind), where)
        info = connection.pageInfo
        cursor = protocol.check_cursor(page.after, info.endCursor, has_next=info.hasNextPage)
        total = connection.totalCount
        if kind in queries.HAS_SINCE:
            total = read_as(shapes.Total, answer.get(f"{kind}All"), where).totalCount
        rows, changes = [], []
        for node in connection.nodes:
            if node is None:
                continue
            if kind == "releases":
                release = read_as(shapes.Release, node, where)
                if not release.is_draft and release.tag:
                    rows.append(_release(release))
            else:
                thread = read_as(shapes.Thread, node, where)
                rows.append(_thread(thread, KINDS[kind]))
                changes.append(thread.updated.isoformat())
        found[kind] = _Read(rows, changes, cursor, total)
    return found


def _thread(thread: shapes.Thread, kind: str) -> Kept:
    login = thread.author.login if thread.author else None
    response = shapes.first_response(login, thread.comments, thread.reviews)
    row = {
        "kind": kind,
        "number": thread.number,
        "opened_at": seconds(thread.created),
        "closed_at": seconds(thread.closed),
        "merged_at": seconds(thread.merged),
        "merged_by_organisation": thread.merger.organisation if thread.merger else None,
        "first_response_at": seconds(response.at) if response.is_sure else None,
        "author_association": thread.association,
        "is_bot": thread.author is not None and thread.author.is_bot,
        "responses_seen": response.is_sure,
        "source": SOURCE,
    }
    more = None if response.is_sure else ""
    return Kept(thread.number, row, login, thread.updated.isoformat(), more)


def _release(release: shapes.Release) -> Kept:
    day = (release.published or release.created).date().isoformat()
    row = {"tag": release.tag, "released_on": day, "is_prerelease": release.is_prerelease, "source": SOURCE}
    return Kept(release.tag, row)


def _take(
    state: State, name: str, kind: str, progress: Progress, page: _Read, now: datetime
) -> Progress | None:
    """Keep a page of a reading that goes from the oldest change on (of releases: from the newest).

    Returns:
        what the reading goes on with; None at its end.
    """
    if progress.known_until is not None and kind not in queries.HAS_SINCE:
        return _take_newest(state, name, kind, progress, page, now)
    highest = max([progress.highest or "", *page.changes]) or None
    following = replace(progress, cursor=page.cursor, highest=highest)
    following = state.keep(name, kind, page.rows, following, _day(now))
    is_first = progress.known_until is None
    # Once all are seen, changes since we began are for the next run: a busy tracker has no last page.
    is_busy = is_first and (highest or "") >= now.isoformat()
    seen_all = is_busy and state.count(name, kind, progress.number) >= page.total
    if page.cursor is not None and not seen_all:
        return following
    if is_first:
        state.drop_unseen(name, kind, _ended(following, now))
    else:
        state.put(name, kind, _ended(following, now))
    return None


def _take_newest(
    state: State, name: str, kind: str, progress: Progress, page: _Read, now: datetime
) -> Progress | None:
    """Keep a page of a reading that goes back from the newest to what is known."""
    highest = max([progress.highest or "", *page.changes]) or None
    # Where it has come is not kept: after a crash the newest are looked at again.
    kept = state.keep(name, kind, page.rows, replace(progress, cursor=None, highest=None), _day(now))
    following = replace(kept, cursor=page.cursor, highest=highest)
    if kind == "releases":
        met = state.has(name, kind, [r.key for r in page.rows])
    else:
        met = any(change < str(progress.known_until) for change in page.changes)
    if page.cursor is not None and not met:
        return following
    state.put(name, kind, _ended(following, now))
    return None


def _ended(progress: Progress, now: datetime) -> Progress:
    # A change that is dated after now would hide all that follow it.
    known_until = min(progress.highest or now.isoformat(), now.isoformat())
    return replace(
        progress, known_until=max(known_until, progress.known_until or ""), cursor=None, highest=None
    )


def _check_total(state: State, name: str, kind: str, total: int, *, may_repeat: bool) -> Progress | None:
    """Compare our count with the source's; the progress of a new reading of everything, if need be."""
    progress = state.progress(name, kind)
    off_by = total - state.count(name, kind)
    if off_by == progress.off_by:
        return None
    if may_repeat:
        again = Progress(progress.number + 1, off_by=progress.off_by, is_dirty=True)
        state.put(name, kind, again)
        return again
    state.put(name, kind, replace(progress, off_by=off_by))
    return None


async def _follow(asking: Asking, state: State, repository: Repository, tell: Tell) -> None:
    """Look on for the first response of threads whose first comments held none."""
    name = repository.name
    while unsure := _unsure(state, repository):
        threads = {f"t{k.key}": (KINDS[kind], int(k.key), k.more or None) for kind, k in unsure}
        document = queries.responses(*repository.owner_and_name, threads)

        def read(answer: Answer, unsure: list[tuple[str, Kept]] = unsure) -> list[tuple[str, Kept]]:
            data = asking.read(answer)
            found = protocol.of_repository(data, "repository")
            return [
                (kind, _response(found.get(f"t{k.key}"), data.errors.get(f"repository.t{k.key}"), k))
                for kind, k in unsure
            ]

        for kind, kept in await asking.ask(document, read):
            state.update(name, kind, [kept])
        tell("responses", {"repository": name, "threads": len(unsure)})


def _unsure(state: State, repository: Repository) -> list[tuple[str, Kept]]:
    kinds = (k for k in repository.totals() if k != "releases")
    found = [(kind, k) for kind in kinds for k in state.unsure(repository.name, kind, FOLLOWED_TOGETHER)]
    return found[:FOLLOWED_TOGETHER]


def _response(value: object, said: str | None, kept: Kept) -> Kept:
    if value is None and said is not None:
        if not said.startswith("NOT_FOUND"):
            raise TryAgain(f"GitHub: {said}")
        return replace(kept, more=None)  # deleted meanwhile: nothing is known of its response
    read = read_as(shapes.Replying, value, "comments of a thread")
    found = shapes.first_response(kept.author, read.comments, read.reviews, after_all=True)
    info = read.comments.pageInfo
    cursor = None
    if info is not None and not found.is_sure:
        cursor = protocol.check_cursor(kept.more or None, info.endCursor, has_next=info.hasNextPage)
    if cursor is not None:
        return replace(kept, more=cursor)
    row = {**kept.row, "responses_seen": found.is_sure}
    row["first_response_at"] = seconds(found.at) if found.is_sure else None
    return replace(kept, row=row, more=None)


def write_facts(store: Path, state: State, repository: Repository) -> None:
    """Write the kinds that are read to the end and have changed."""
    for kind in KINDS:
        progress = state.progress(repository.name, kind)
        if progress.known_until is None or not progress.is_dirty:
            continue
        table = "releases" if kind == "releases" else "threads"
        rows = ({"repository": repository.name, **row} for row in state.rows(repository.name, kind))
        writing.write(store, table, repository.name, rows, part=f"github-{kind.lower()}")
        state.clean(repository.name, kind)


def _day(now: datetime) -> str:
    return now.date().isoformat()
