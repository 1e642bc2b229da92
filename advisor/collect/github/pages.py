"""Read all threads and releases of one repository, page by page, and write them as facts.

The first reading of each kind goes from the oldest change to the newest. Later readings:

- Issues: from the last stored change on, oldest change first. An issue that changes during the reading
  moves to the end and is read again.
- Change requests and discussions, which have no filter by date: from the newest change back to the last
  stored one.
- Releases: from the newest back to a stored page.

If the source's total then differs from ours, an item was deleted, moved or lost, and the kind is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from advisor.collect.github import protocol, queries, shapes
from advisor.collect.github.graphql import GraphQLClient
from advisor.collect.github.queries import KINDS, Page
from advisor.collect.github.state import CollectionState, ReadingProgress, StoredRow
from advisor.collect.http.messages import HttpResponse, QueryTooHeavy, RetryableError
from advisor.collect.http.shapes import format_time, read_as
from advisor.collect.outcome import EventHandler
from advisor.errors import Unsound
from advisor.facts import writing

LARGEST, SMALLEST, GROWTH = queries.ROWS_OF_A_POINT, 10, 10  # rows with replies in a query
PAGE = 100  # rows of a kind in a query: GitHub's limit
NEWEST = 25  # page size of a reading that starts at the newest change
THREADS_PER_QUERY = 25  # in a search for first responses
SOURCE = "github:graphql"
COMMENT_PAGES = 100  # of 100 comments: GitHub allows a thread 2,500
MORE_PAGES = 20  # than the total needs; a reading that needs still more does not end


@dataclass(frozen=True)
class Repository:
    """One repository: its name in the store, and GitHub's overview of it."""

    name: str
    overview: shapes.Overview

    @property
    def name_parts(self) -> tuple[str, str]:
        """Owner and name on GitHub today."""
        owner, _, name = self.overview.known_as.partition("/")
        return owner, name

    def read_totals(self) -> dict[str, int]:
        """Return GitHub's total of each kind, without issues or discussions if they are disabled."""
        overview = self.overview
        pulls = (overview.openPulls, overview.closedPulls, overview.mergedPulls)
        totals = {
            "pullRequests": sum(p.totalCount for p in pulls),
            "releases": overview.releases.totalCount,
        }
        if overview.has_issues:
            totals["issues"] = overview.openIssues.totalCount + overview.closedIssues.totalCount
        if overview.has_discussions:
            totals["discussions"] = overview.discussions.totalCount
        return {kind: totals[kind] for kind in KINDS if kind in totals}


@dataclass(frozen=True)
class _PageData:
    """A page after all checks: its rows, the times of their changes, the next cursor and the total."""

    rows: list[StoredRow]
    changes: list[str]
    cursor: str | None
    total: int


def plan_next_pages(
    progress_by_kind: Mapping[str, ReadingProgress],
    totals: Mapping[str, int],
    counts: Mapping[str, int],
    size: int,
) -> dict[str, Page]:
    """Return the next page of each kind.

    The kinds share the rows of a query by what they still need, so that their readings end together.

    Args:
        progress_by_kind: key of `KINDS` → progress of the reading.
        totals: key → the source's total.
        counts: key → rows that the current reading has stored.
        size: largest number of threads in the query, of all kinds together.
    """
    needs = {
        kind: max(SMALLEST, totals[kind] - counts[kind] + 1)
        if progress.known_until is None
        else PAGE
        if kind in queries.HAS_SINCE
        else NEWEST
        for kind, progress in progress_by_kind.items()
    }
    open_size, open_need = size, sum(need for kind, need in needs.items() if kind != "releases")
    next_pages = {}
    for kind in sorted(needs, key=lambda kind: needs[kind]):
        progress, need = progress_by_kind[kind], needs[kind]
        if kind == "releases":  # they have no replies
            next_pages[kind] = Page(min(size, PAGE, need), progress.cursor, is_ascending=False)
            continue
        first = min(PAGE, need, max(SMALLEST, open_size * need // open_need))
        open_size, open_need = open_size - first, open_need - need
        since = progress.known_until if kind in queries.HAS_SINCE else None
        next_pages[kind] = Page(first, progress.cursor, since, is_ascending=since == progress.known_until)
    return {kind: next_pages[kind] for kind in progress_by_kind}


async def read_threads(
    client: GraphQLClient,
    state: CollectionState,
    repository: Repository,
    now: datetime,
    on_event: EventHandler,
) -> None:
    """Bring every kind up to date in the state.

    Raises:
        CollectError: a page could not be read; the pages before it are stored.
    """
    name = repository.name
    totals = repository.read_totals()
    if all(state.read_progress(name, kind).known_until for kind in totals):
        # What an earlier run left open comes first, so that a small budget gets on with each run.
        await _find_first_responses(client, state, repository, on_event)
    progress_by_kind = {kind: state.read_progress(name, kind) for kind in totals}
    counts = {kind: count_for_planning(state, name, kind, p) for kind, p in progress_by_kind.items()}
    repeatable_kinds = set(totals)
    page_counts = dict.fromkeys(totals, 0)
    size = LARGEST
    while progress_by_kind:
        next_pages = plan_next_pages(progress_by_kind, totals, counts, size)
        document = queries.build_pages_query(*repository.name_parts, next_pages)

        def read(response: HttpResponse, next_pages: Mapping[str, Page] = next_pages) -> dict[str, _PageData]:
            return _read_pages(client.read_data(response), repository, next_pages)

        try:
            pages = await client.send(document, read, may_shrink=size > SMALLEST)
        except QueryTooHeavy as error:
            size = max(SMALLEST, size // 2)
            on_event("smaller", {"repository": name, "size": size, "reason": str(error)})
            continue
        except protocol.StaleCursor:
            if all(p.cursor is None for p in progress_by_kind.values()):
                raise
            progress_by_kind = {kind: replace(p, cursor=None) for kind, p in progress_by_kind.items()}
            continue
        size = min(LARGEST, size + GROWTH)
        for kind, page in pages.items():
            page_counts[kind] += 1
            _check_page_count(page_counts[kind], kind, page.total, repository)
            next_progress = _save_page(state, name, kind, progress_by_kind[kind], page, now)
            counts[kind] = counts[kind] + len(page.rows) if next_progress else state.count_rows(name, kind)
            on_event("page", {"repository": name, "kind": kind, "have": counts[kind], "of": page.total})
            if next_progress is not None:
                progress_by_kind[kind] = next_progress
                continue
            del progress_by_kind[kind]
            restart = _check_total(state, name, kind, page.total, may_repeat=kind in repeatable_kinds)
            if restart is not None:
                repeatable_kinds.discard(kind)
                progress_by_kind[kind], counts[kind] = restart, 0
    await _find_first_responses(client, state, repository, on_event)


def _check_page_count(count: int, kind: str, total: int, repository: Repository) -> None:
    """Check that GitHub's pages end: two readings in the smallest pages, and some for what is new meanwhile.

    Raises:
        Unsound: there are more pages.
    """
    if count > MORE_PAGES + 2 * total // SMALLEST:
        raise Unsound(
            f"{kind} of {repository.overview.known_as}: GitHub sent {count} pages for {total} of them and "
            "says that more follow"
        )


def count_for_planning(state: CollectionState, name: str, kind: str, progress: ReadingProgress) -> int:
    """Return the rows that the current reading has stored; 0 for a repeated full reading."""
    return state.count_rows(name, kind) if progress.number == 1 else 0


def _read_pages(
    data: protocol.GraphQLData, repository: Repository, pages: Mapping[str, Page]
) -> dict[str, _PageData]:
    known_as = repository.overview.known_as
    value = protocol.get_repository(protocol.check_errors(data), "repository")
    if value.get("databaseId") != repository.overview.github_id:
        raise Unsound(f"{known_as} became another repository while it was read")
    data_by_kind = {}
    for kind, page in pages.items():
        where = f"{kind} of {known_as}"
        connection = read_as(shapes.Connection, value.get(kind), where)
        info = connection.pageInfo
        cursor = protocol.check_cursor(page.after, info.endCursor, has_next=info.hasNextPage)
        total = connection.totalCount
        if kind in queries.HAS_SINCE:
            total = read_as(shapes.Total, value.get(f"{kind}All"), where).totalCount
        rows, changes = [], []
        for node in connection.nodes:
            if node is None:
                continue
            if kind == "releases":
                release = read_as(shapes.ReleaseNode, node, where)
                if not release.is_draft and release.tag:
                    rows.append(_build_release_row(release))
            else:
                thread = read_as(shapes.Thread, node, where)
                rows.append(_build_thread_row(thread, KINDS[kind]))
                changes.append(thread.updated_at.isoformat())
        data_by_kind[kind] = _PageData(rows, changes, cursor, total)
    return data_by_kind


def _build_thread_row(thread: shapes.Thread, kind: str) -> StoredRow:
    login = thread.author.login if thread.author else None
    response = shapes.find_first_response(login, thread.comments)
    row = {
        "kind": kind,
        "number": thread.number,
        "opened_at": format_time(thread.created_at),
        "closed_at": format_time(thread.closed_at),
        "merged_at": format_time(thread.merged_at),
        "merged_by_organisation": thread.merger.organisation if thread.merger else None,
        "first_response_at": format_time(response.at) if response.is_sure else None,
        "author_association": thread.association,
        "is_bot": thread.author is not None and thread.author.is_bot,
        "responses_seen": response.is_sure,
        "source": SOURCE,
    }
    more = None if response.is_sure else ""
    return StoredRow(thread.number, row, login, thread.updated_at.isoformat(), more)


def _build_release_row(release: shapes.ReleaseNode) -> StoredRow:
    day = (release.published_at or release.created_at).date().isoformat()
    row = {"tag": release.tag, "released_on": day, "is_prerelease": release.is_prerelease, "source": SOURCE}
    return StoredRow(release.tag, row)


def _save_page(
    state: CollectionState, name: str, kind: str, progress: ReadingProgress, page: _PageData, now: datetime
) -> ReadingProgress | None:
    """Store a page.

    Returns:
        the progress with which the reading continues; None after the last page.
    """
    if progress.known_until is not None and kind not in queries.HAS_SINCE:
        return _save_newest_page(state, name, kind, progress, page, now)
    highest = max([progress.highest or "", *page.changes]) or None
    next_progress = replace(progress, cursor=page.cursor, highest=highest)
    next_progress = state.save_page(name, kind, page.rows, next_progress, now.date().isoformat())
    is_first = progress.known_until is None
    # A busy tracker has no last page: once all rows are stored, changes since the start are for the next run.
    is_busy = is_first and (highest or "") >= now.isoformat()
    is_complete = is_busy and state.count_rows(name, kind, progress.number) >= page.total
    if page.cursor is not None and not is_complete:
        return next_progress
    if is_first:
        state.finish_full_reading(name, kind, _finish_progress(next_progress, now))
    else:
        state.save_progress(name, kind, _finish_progress(next_progress, now))
    return None


def _save_newest_page(
    state: CollectionState, name: str, kind: str, progress: ReadingProgress, page: _PageData, now: datetime
) -> ReadingProgress | None:
    """Store a page of a reading that goes from the newest change back to the last stored one."""
    highest = max([progress.highest or "", *page.changes]) or None
    # The position is not stored: after a crash the reading starts at the newest change again.
    stored_progress = state.save_page(
        name, kind, page.rows, replace(progress, cursor=None, highest=None), now.date().isoformat()
    )
    next_progress = replace(stored_progress, cursor=page.cursor, highest=highest)
    if kind == "releases":
        is_up_to_date = state.has_rows(name, kind, [r.key for r in page.rows])
    else:
        is_up_to_date = any(change < str(progress.known_until) for change in page.changes)
    if page.cursor is not None and not is_up_to_date:
        return next_progress
    state.save_progress(name, kind, _finish_progress(next_progress, now))
    return None


def _finish_progress(progress: ReadingProgress, now: datetime) -> ReadingProgress:
    # A change with a date after now would hide all changes that follow it.
    known_until = min(progress.highest or now.isoformat(), now.isoformat())
    return replace(
        progress, known_until=max(known_until, progress.known_until or ""), cursor=None, highest=None
    )


def _check_total(
    state: CollectionState, name: str, kind: str, total: int, *, may_repeat: bool
) -> ReadingProgress | None:
    """Compare our count with the source's total.

    Returns:
        the progress of a new full reading if one is necessary, else None.
    """
    progress = state.read_progress(name, kind)
    off_by = total - state.count_rows(name, kind)
    if off_by == progress.off_by:
        return None
    if may_repeat:
        restart = ReadingProgress(progress.number + 1, off_by=progress.off_by, is_dirty=True)
        state.save_progress(name, kind, restart)
        return restart
    state.save_progress(name, kind, replace(progress, off_by=off_by))
    return None


async def _find_first_responses(
    client: GraphQLClient, state: CollectionState, repository: Repository, on_event: EventHandler
) -> None:
    """Read more comments of threads whose first comments hold no response."""
    name = repository.name
    page_counts: Counter[tuple[str, int | str]] = Counter()
    while thread_rows := _read_unanswered_threads(state, repository):
        page_counts.update((kind, row.key) for kind, row in thread_rows)
        if page_counts.most_common(1)[0][1] > COMMENT_PAGES:
            raise Unsound(
                f"comments of a thread of {repository.overview.known_as}: GitHub's pages do not end"
            )
        threads = {f"t{row.key}": (KINDS[kind], int(row.key), row.more or None) for kind, row in thread_rows}
        document = queries.build_responses_query(*repository.name_parts, threads)

        def read(
            response: HttpResponse, rows: list[tuple[str, StoredRow]] = thread_rows
        ) -> list[tuple[str, StoredRow]]:
            data = client.read_data(response)
            value = protocol.get_repository(data, "repository")
            return [
                (kind, _add_response(value.get(f"t{r.key}"), data.errors.get(f"repository.t{r.key}"), r))
                for kind, r in rows
            ]

        for kind, row in await client.send(document, read):
            state.update_rows(name, kind, [row])
        on_event("responses", {"repository": name, "threads": len(thread_rows)})


def _read_unanswered_threads(state: CollectionState, repository: Repository) -> list[tuple[str, StoredRow]]:
    kinds = (k for k in repository.read_totals() if k != "releases")
    rows = [
        (kind, row)
        for kind in kinds
        for row in state.read_threads_to_search(repository.name, kind, THREADS_PER_QUERY)
    ]
    return rows[:THREADS_PER_QUERY]


def _add_response(value: object, error: str | None, row: StoredRow) -> StoredRow:
    if value is None and error is not None:
        if error.startswith("INVALID_CURSOR") and row.more:
            return replace(row, more="")  # the search starts again
        if not error.startswith("NOT_FOUND"):
            raise RetryableError(f"GitHub: {error}")
        return replace(row, more=None)  # the thread was deleted, so its response stays unknown
    replies = read_as(shapes.ThreadReplies, value, "comments of a thread")
    response = shapes.find_first_response(row.author, replies.comments)
    info = replies.comments.pageInfo
    cursor = None
    if not response.is_sure:
        cursor = protocol.check_cursor(row.more or None, info.endCursor, has_next=info.hasNextPage)
    if cursor is not None:
        return replace(row, more=cursor)
    facts = {**row.row, "responses_seen": response.is_sure}
    facts["first_response_at"] = format_time(response.at) if response.is_sure else None
    return replace(row, row=facts, more=None)


def write_facts(store: Path, state: CollectionState, repository: Repository) -> None:
    """Write the facts of the kinds that were read completely and have changed."""
    for kind in KINDS:
        progress = state.read_progress(repository.name, kind)
        if progress.known_until is None or not progress.is_dirty:
            continue
        table = "releases" if kind == "releases" else "threads"
        rows = ({"repository": repository.name, **row} for row in state.read_rows(repository.name, kind))
        writing.write_rows(store, table, repository.name, rows, part=f"github-{kind.lower()}")
        state.mark_clean(repository.name, kind)
