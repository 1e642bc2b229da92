"""What GitHub's REST gives: the history of stars, and without a token the overview and the threads.

Without a token GitHub answers 60 requests an hour and no GraphQL. Then the listings of issues and
releases are read; who responded first is in neither, so it stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, Field

from advisor.collect import parts
from advisor.collect.git.authors import BOT
from advisor.collect.github import protocol, shapes
from advisor.collect.github.state import Kept, Progress, State
from advisor.collect.http.messages import Answer, TryAgain, clean, json_of, next_link
from advisor.collect.http.shapes import Count, Number, Shape, Text, Time, count_rows, read_as, seconds
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import Tell
from advisor.errors import Unsound
from advisor.facts import writing

SOURCE = "github:rest"
STAR_WEEKS, STAR_PAGES = 30, 2
"""Weeks a page (GitHub's most), and pages: more than a year, which is what growth is measured over."""
STARS = "stars that still exist, summed from the weeks of stargazers/history"


class RestOwner(Shape):
    """The account of a repository or thread; GitHub marks machines as ``Bot``."""

    login: Text
    kind: Annotated[str, Field(validation_alias="type", max_length=40), AfterValidator(clean)]


class RestRepository(Shape):
    """``GET /repos/{owner}/{repo}``."""

    github_id: Annotated[int, Field(validation_alias="id", ge=1, le=2**63 - 1)]
    known_as: Annotated[str, Field(validation_alias="full_name", max_length=200)]
    description: Text | None = None
    created: Time = Field(validation_alias="created_at")
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
    created: Time = Field(validation_alias="created_at")
    updated: Time = Field(validation_alias="updated_at")
    closed: Time | None = Field(validation_alias="closed_at", default=None)
    merged: Time | None = Field(validation_alias=AliasPath("pull_request", "merged_at"), default=None)
    pull: dict[str, Any] | None = Field(validation_alias="pull_request", default=None)
    author: RestOwner | None = Field(validation_alias="user")
    association: Annotated[str, Field(validation_alias="author_association", max_length=40)]


@dataclass(frozen=True)
class Rest:
    """One run's conversation with GitHub's REST."""

    transport: Transport
    at: protocol.Endpoints
    clock: Callable[[], datetime]
    tell: Tell

    async def get(self, read: Callable[[Answer, Any], Any], *path: str, **query: str | int) -> Any:
        """Ask for a path; ``read`` gets the answer and its JSON."""

        def reader(answer: Answer) -> Any:
            protocol.check_limits(answer, self.clock())
            limit = protocol.limit_of(answer)
            if limit is not None and not answer.is_cached:
                about = {"remaining": limit.remaining, "limit": limit.limit}
                self.tell("limit", {**about, "resets_at": limit.resets_at.isoformat()})
            return read(answer, json_of(answer, "GitHub"))

        return await self.transport.send(protocol.rest_request(self.at, *path, **query), reader)


async def star_history(rest: Rest, store: Path, name: str, known_as: str, stars: int) -> None:
    """Stars at the beginning of each of the last weeks, counted back from the present total.

    Raises:
        Unsound: the weeks hold more stars than there are.
        CollectError: the history could not be had.
    """
    owner, _, repository = known_as.partition("/")
    weeks: dict[int, int] = {}
    for number in range(1, STAR_PAGES + 1):
        page = await rest.get(
            lambda _, value: shapes.star_weeks(value),
            "repos", owner, repository, "stargazers", "history", per_page=STAR_WEEKS, page=number,
        )  # fmt: skip
        weeks |= dict(page)  # a week can come twice when pages shift
        if len(page) < STAR_WEEKS:
            break
    rows, left = [], stars
    today = rest.clock().date()
    for start in sorted(weeks, reverse=True):
        left -= weeks[start]
        if left < 0:
            raise Unsound(f"GitHub's star history of {known_as} holds more stars than the {stars} there are")
        day = datetime.fromtimestamp(start, UTC).date()
        if day <= today:
            rows += count_rows({"stars": left}, day, STARS)
    about = {"repository": name, "source": "github:stargazers/history", "retrieved_at": today.isoformat()}
    if rows:
        writing.write(store, "counts", name, [{**r, **about} for r in rows], part="github-stars")


async def overview(rest: Rest, name: str) -> RestRepository:
    """Facts and totals of one repository without a token."""
    owner, _, repository = name.partition("/")
    found: RestRepository = await rest.get(
        lambda _, value: read_as(RestRepository, value, name), "repos", owner, repository
    )
    return found


async def threads(rest: Rest, state: State, name: str, seen: RestRepository) -> None:
    """Bring the listing of issues and change requests up to date, oldest change first."""
    owner, _, repository = seen.known_as.partition("/")
    progress = state.progress(name, "rest-threads")
    since = progress.highest or progress.known_until or ""
    page, now = 1, rest.clock()
    day = now.date().isoformat()

    def read(answer: Answer, value: Any) -> tuple[list[RestThread], bool]:
        if not isinstance(value, list) or len(value) > 100:  # what was asked for
            raise Unsound(f"issues of {name}: not a list of at most 100")
        return [read_as(RestThread, v, f"issues of {name}") for v in value], bool(next_link(answer))

    while True:
        asked: dict[str, str | int] = {"since": since} if since else {}
        found, goes_on = await rest.get(
            read, "repos", owner, repository, "issues", state="all", sort="updated", direction="asc",
            per_page=100, page=page, **asked,
        )  # fmt: skip
        last = found[-1].updated.strftime("%Y-%m-%dT%H:%M:%SZ") if found else since
        progress = replace(progress, highest=last or None)
        progress = state.keep(name, "rest-threads", [_row(t) for t in found], progress, day)
        have = state.count(name, "rest-threads")
        rest.tell("page", {"repository": name, "kind": "issues", "have": have, "of": None})
        if not goes_on:
            break
        if goes_on and not found:
            raise TryAgain("GitHub lists nothing, and yet there shall be more")
        # From the last change on instead of by page: what changes meanwhile would shift the pages.
        page, since = (1, last) if last > since else (page + 1, since)
    state.put(
        name, "rest-threads", Progress(1, min(last, _zulu(now)) or _zulu(now), is_dirty=progress.is_dirty)
    )


def _zulu(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(thread: RestThread) -> Kept:
    row = {
        "kind": "issue" if thread.pull is None else "change_request",
        "number": thread.number,
        "opened_at": seconds(thread.created),
        "closed_at": seconds(thread.closed),
        "merged_at": seconds(thread.merged),
        "author_association": thread.association,
        "is_bot": thread.author is not None
        and (thread.author.kind == "Bot" or bool(BOT.search(thread.author.login))),
        "responses_seen": False,
        "source": SOURCE,
    }
    login = thread.author.login if thread.author else None
    return Kept(thread.number, row, login, thread.updated.isoformat())


async def releases(rest: Rest, known_as: str) -> list[dict[str, Any]]:
    """Releases, the newest thousand."""
    owner, _, repository = known_as.partition("/")
    rows = []
    for page in range(1, 11):
        found, goes_on = await rest.get(
            _read_releases, "repos", owner, repository, "releases", per_page=100, page=page
        )
        rows += found
        if not goes_on:
            break
    return rows


class _RestRelease(Shape):
    tag: Annotated[
        str, Field(validation_alias="tag_name", min_length=1, max_length=300), AfterValidator(clean)
    ]
    created: Time = Field(validation_alias="created_at")
    published: Time | None = Field(validation_alias="published_at", default=None)
    draft: bool
    prerelease: bool


def _read_releases(answer: Answer, value: Any) -> tuple[list[dict[str, Any]], bool]:
    if not isinstance(value, list):
        raise Unsound("releases: not a list")
    found = [read_as(_RestRelease, v, "releases") for v in value]
    rows = [
        {
            "tag": r.tag,
            "released_on": (r.published or r.created).date().isoformat(),
            "is_prerelease": r.prerelease,
            "source": SOURCE,
        }
        for r in found
        if not r.draft
    ]
    return rows, bool(next_link(answer))


def write_facts(
    store: Path, state: State, name: str, seen: RestRepository, now: datetime, released: list[dict[str, Any]]
) -> None:
    """Write what the listings gave; totals of issues are counted, as REST gives none."""
    day = now.date()
    about = {"repository": name, "retrieved_at": day.isoformat()}
    open_or_closed: dict[tuple[str, bool], int] = {}
    for row in state.rows(name, "rest-threads"):
        key = (row["kind"], row["closed_at"] is None)
        open_or_closed[key] = open_or_closed.get(key, 0) + 1
    totals = {
        "stars": seen.stars,
        "forks": seen.forks,
        "watchers": seen.watchers,
        "open_issues": open_or_closed.get(("issue", True), 0) if seen.has_issues else None,
        "closed_issues": open_or_closed.get(("issue", False), 0) if seen.has_issues else None,
    }
    counted = count_rows(totals, day, "as GitHub lists them")
    parts.add(
        store,
        "counts",
        name,
        "github",
        [{**r, **about, "source": SOURCE} for r in counted],
        ("day", "metric"),
    )
    parts.add(
        store,
        "repositories",
        name,
        "github",
        [{**_repository(seen), "observed_on": day.isoformat(), **about}],
        ("observed_on",),
    )
    rows = [{"repository": name, **r} for r in state.rows(name, "rest-threads")]
    if rows:
        writing.write(store, "threads", name, rows, part="github-rest")
    if released:
        writing.write(store, "releases", name, [{**r, **about} for r in released], part="github-rest")
    state.clean(name, "rest-threads")


def _repository(seen: RestRepository) -> dict[str, Any]:
    return {
        "declared_status": "archived" if seen.is_archived else None,
        "evidence": "archived on GitHub" if seen.is_archived else None,
        **seen.model_dump(include=shapes.SAME_WORDS),
        "is_fork": seen.is_fork,
        "created_on": seen.created.date().isoformat(),
        "owner_kind": seen.owner.kind,
        "owner_name": seen.owner.login,
        "source": SOURCE,
    }
