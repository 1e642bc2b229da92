"""Read GitHub's REST API: the star history, and without a token also the overview and the threads.

Without a token GitHub allows 60 requests an hour and no GraphQL. Then the lists of issues and releases are
read. They do not hold the first response to a thread, so it stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, Field

from advisor.collect import parts
from advisor.collect.github import protocol, shapes
from advisor.collect.github.state import CollectionState, ReadingProgress, StoredRow
from advisor.collect.http.messages import HttpResponse, RetryableError, clean_text, read_json, read_next_link
from advisor.collect.http.shapes import (
    Count,
    Number,
    Shape,
    Text,
    Time,
    build_count_rows,
    format_time,
    read_as,
)
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import EventHandler
from advisor.domain.identities import load_identities
from advisor.errors import Unsound
from advisor.facts import writing

SOURCE = "github:rest"
STAR_WEEKS, STAR_PAGES = 30, 2
"""Weeks per page (GitHub's maximum) and number of pages: more than the year that growth is measured over."""
STARS = "stars that still exist, summed from the weeks of stargazers/history"


class RestOwner(Shape):
    """The account of a repository or thread; the kind of a bot is ``Bot``."""

    login: Text
    kind: Annotated[str, Field(validation_alias="type", max_length=40), AfterValidator(clean_text)]


class RestRepository(Shape):
    """``GET /repos/{owner}/{repo}``."""

    github_id: Annotated[int, Field(validation_alias="id", ge=1, le=2**63 - 1)]
    known_as: Annotated[str, Field(validation_alias="full_name", max_length=200)]
    description: Text | None = None
    created_at: Time
    is_archived: bool = Field(validation_alias="archived")
    is_fork: bool = Field(validation_alias="fork")
    has_issues: bool
    licence: Text | None = Field(validation_alias=AliasPath("license", "spdx_id"), default=None)
    owner: RestOwner
    stars: Count = Field(validation_alias="stargazers_count")
    forks: Count = Field(validation_alias="forks_count")
    watchers: Count = Field(validation_alias="subscribers_count")


class RestThread(Shape):
    """One element of ``GET /repos/{owner}/{repo}/issues``: an issue or a change request."""

    number: Number
    created_at: Time
    updated_at: Time
    closed_at: Time | None = None
    merged_at: Time | None = Field(validation_alias=AliasPath("pull_request", "merged_at"), default=None)
    pull: dict[str, Any] | None = Field(validation_alias="pull_request", default=None)
    author: RestOwner | None = Field(validation_alias="user")
    association: Annotated[str, Field(validation_alias="author_association", max_length=40)]


@dataclass(frozen=True)
class RestClient:
    """The client of GitHub's REST API of one run."""

    transport: Transport
    endpoints: protocol.Endpoints
    clock: Callable[[], datetime]
    on_event: EventHandler

    async def get(self, read: Callable[[HttpResponse, Any], Any], *path: str, **query: str | int) -> Any:
        """Send a GET request and return the result of ``read``, which gets the response and its JSON."""

        def read_response(response: HttpResponse) -> Any:
            protocol.check_limits(response, self.clock())
            limit = protocol.read_rate_limit(response)
            if limit is not None and not response.is_cached:
                values = {"remaining": limit.remaining, "limit": limit.limit}
                self.on_event("limit", {**values, "resets_at": limit.resets_at.isoformat()})
            return read(response, read_json(response, "GitHub"))

        return await self.transport.send(
            protocol.build_rest_request(self.endpoints, *path, **query), read_response
        )


async def collect_star_history(client: RestClient, store: Path, name: str, known_as: str, stars: int) -> None:
    """Write the stars at the start of each of the last weeks, counted back from today's total.

    Raises:
        Unsound: the weeks hold more stars than the total.
        CollectError: the history could not be read.
    """
    owner, _, repository = known_as.partition("/")
    weeks: dict[int, int] = {}
    for number in range(1, STAR_PAGES + 1):
        page = await client.get(
            lambda _, value: shapes.read_star_weeks(value),
            "repos", owner, repository, "stargazers", "history", per_page=STAR_WEEKS, page=number,
        )  # fmt: skip
        weeks |= dict(page)  # a week appears twice if the pages shift
        if len(page) < STAR_WEEKS:
            break
    rows, total = [], stars
    today = client.clock().date()
    for start in sorted(weeks, reverse=True):
        total -= weeks[start]
        if total < 0:
            raise Unsound(f"GitHub's star history of {known_as} holds more than its {stars} stars")
        day = datetime.fromtimestamp(start, UTC).date()
        if day <= today:
            rows += build_count_rows({"stars": total}, day, STARS)
    about = {"repository": name, "source": "github:stargazers/history", "retrieved_at": today.isoformat()}
    if rows:
        writing.write_rows(store, "counts", name, [{**r, **about} for r in rows], part="github-stars")


async def read_repository(client: RestClient, name: str) -> RestRepository:
    """Return facts and totals of one repository; needs no token."""
    owner, _, repository = name.partition("/")
    facts: RestRepository = await client.get(
        lambda _, value: read_as(RestRepository, value, name), "repos", owner, repository
    )
    return facts


async def read_threads(client: RestClient, state: CollectionState, name: str, facts: RestRepository) -> None:
    """Bring issues and change requests up to date in the state, oldest change first."""
    owner, _, repository = facts.known_as.partition("/")
    progress = state.read_progress(name, "rest-threads")
    since = progress.highest or progress.known_until or ""
    page, now = 1, client.clock()
    day = now.date().isoformat()

    def read(response: HttpResponse, value: Any) -> tuple[list[RestThread], bool]:
        if not isinstance(value, list) or len(value) > 100:  # the requested page size
            raise Unsound(f"issues of {name}: not a list of at most 100")
        return [read_as(RestThread, v, f"issues of {name}") for v in value], bool(read_next_link(response))

    while True:
        filters: dict[str, str | int] = {"since": since} if since else {}
        page_threads, has_next = await client.get(
            read, "repos", owner, repository, "issues", state="all", sort="updated", direction="asc",
            per_page=100, page=page, **filters,
        )  # fmt: skip
        last = page_threads[-1].updated_at.strftime("%Y-%m-%dT%H:%M:%SZ") if page_threads else since
        progress = replace(progress, highest=last or None)
        progress = state.save_page(name, "rest-threads", [_build_row(t) for t in page_threads], progress, day)
        count = state.count_rows(name, "rest-threads")
        client.on_event("page", {"repository": name, "kind": "issues", "have": count, "of": None})
        if not has_next:
            break
        if not page_threads:
            raise RetryableError("GitHub sent an empty page, and says that more pages follow")
        # Continue from the last change, not by page: a change during the reading would shift the pages.
        page, since = (1, last) if last > since else (page + 1, since)
    state.save_progress(
        name,
        "rest-threads",
        ReadingProgress(1, min(last, _format_utc(now)) or _format_utc(now), is_dirty=progress.is_dirty),
    )


def _format_utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _build_row(thread: RestThread) -> StoredRow:
    row = {
        "kind": "issue" if thread.pull is None else "change_request",
        "number": thread.number,
        "opened_at": format_time(thread.created_at),
        "closed_at": format_time(thread.closed_at),
        "merged_at": format_time(thread.merged_at),
        "author_association": thread.association,
        "is_bot": thread.author is not None
        and (thread.author.kind == "Bot" or load_identities().is_machine(thread.author.login)),
        "responses_seen": False,
        "source": SOURCE,
    }
    login = thread.author.login if thread.author else None
    return StoredRow(thread.number, row, login, thread.updated_at.isoformat())


async def read_releases(client: RestClient, known_as: str) -> list[dict[str, Any]]:
    """Return the rows of the newest thousand releases."""
    owner, _, repository = known_as.partition("/")
    rows = []
    for page in range(1, 11):
        page_rows, has_next = await client.get(
            _read_release_page, "repos", owner, repository, "releases", per_page=100, page=page
        )
        rows += page_rows
        if not has_next:
            break
    return rows


class _RestRelease(Shape):
    tag: Annotated[
        str, Field(validation_alias="tag_name", min_length=1, max_length=300), AfterValidator(clean_text)
    ]
    created_at: Time
    published_at: Time | None = None
    draft: bool
    prerelease: bool


def _read_release_page(response: HttpResponse, value: Any) -> tuple[list[dict[str, Any]], bool]:
    if not isinstance(value, list):
        raise Unsound("releases: not a list")
    releases = [read_as(_RestRelease, v, "releases") for v in value]
    rows = [
        {
            "tag": r.tag,
            "released_on": (r.published_at or r.created_at).date().isoformat(),
            "is_prerelease": r.prerelease,
            "source": SOURCE,
        }
        for r in releases
        if not r.draft
    ]
    return rows, bool(read_next_link(response))


def write_facts(
    store: Path,
    state: CollectionState,
    name: str,
    facts: RestRepository,
    now: datetime,
    release_rows: list[dict[str, Any]],
) -> None:
    """Write the facts from the lists; issues are counted, because REST sends no totals."""
    day = now.date()
    about = {"repository": name, "retrieved_at": day.isoformat()}
    issue_counts: dict[tuple[str, bool], int] = {}
    for row in state.read_rows(name, "rest-threads"):
        key = (row["kind"], row["closed_at"] is None)
        issue_counts[key] = issue_counts.get(key, 0) + 1
    totals = {
        "stars": facts.stars,
        "forks": facts.forks,
        "watchers": facts.watchers,
        "open_issues": issue_counts.get(("issue", True), 0) if facts.has_issues else None,
        "closed_issues": issue_counts.get(("issue", False), 0) if facts.has_issues else None,
    }
    count_rows = build_count_rows(totals, day, "as GitHub lists them")
    parts.add_rows(
        store,
        "counts",
        name,
        "github",
        [{**r, **about, "source": SOURCE} for r in count_rows],
        ("day", "metric"),
    )
    parts.add_rows(
        store,
        "repositories",
        name,
        "github",
        [{**_build_repository_row(facts), "observed_on": day.isoformat(), **about}],
        ("observed_on",),
    )
    rows = [{"repository": name, **r} for r in state.read_rows(name, "rest-threads")]
    if rows:
        writing.write_rows(store, "threads", name, rows, part="github-rest")
    if release_rows:
        writing.write_rows(
            store, "releases", name, [{**r, **about} for r in release_rows], part="github-rest"
        )
    state.mark_clean(name, "rest-threads")


def _build_repository_row(facts: RestRepository) -> dict[str, Any]:
    return {
        "declared_status": "archived" if facts.is_archived else None,
        "evidence": "archived on GitHub" if facts.is_archived else None,
        **facts.model_dump(include=shapes.SHARED_FIELDS),
        "is_fork": facts.is_fork,
        "created_on": facts.created_at.date().isoformat(),
        "owner_kind": facts.owner.kind,
        "owner_name": facts.owner.login,
        "source": SOURCE,
    }
