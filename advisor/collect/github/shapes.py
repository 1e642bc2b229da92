"""Shapes of GitHub's responses, and the rows built from them.

Types, ranges and lengths are checked here, before anything is stored. A response to a thread is a comment or
review by a person who is not its author. Logins are compared, but not stored in the facts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, Field

from advisor.collect.http.messages import clean_text
from advisor.collect.http.shapes import Count, Cursor, Number, Shape, Text, Time, read_as
from advisor.domain.identities import load_identities
from advisor.errors import Unsound

_ORGANISATION = re.compile(r"(?<![\w@.-])@[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\b")


class Total(Shape):
    """A connection of which only the total is read."""

    totalCount: Count


class Actor(Shape):
    """A user, bot or other account; GitHub sends null for a deleted account (a "ghost")."""

    typename: Annotated[str, Field(alias="__typename", max_length=100)]
    login: Annotated[str, Field(max_length=200)]

    @property
    def is_bot(self) -> bool:
        """Return whether GitHub marks it as a bot, or its login is that of a bot."""
        return self.typename == "Bot" or load_identities().is_machine(self.login)


class Merger(Actor):
    """The account that merged a change request, and the company in its profile."""

    company: Text | None = None

    @property
    def organisation(self) -> str | None:
        """Return the first GitHub organisation in the company ("@pytorch"), in lower case with the @.

        Words without @ are ignored. None for a bot, because it acts for someone else.
        """
        match = _ORGANISATION.search(self.company or "")
        return match[0].lower() if match and not self.is_bot else None


class Reply(Shape):
    """A comment, or a review (with the time of its submission)."""

    author: Actor | None
    at: Time | None = Field(validation_alias="createdAt", default=None)
    submitted_at: Time | None = Field(validation_alias="submittedAt", default=None)


class PageInfo(Shape):
    """Whether the connection has a next page, and its cursor."""

    hasNextPage: bool
    endCursor: Cursor | None = None


class Replies(Shape):
    """A page of the comments of a thread, for a change request with its reviews, oldest first."""

    nodes: Annotated[list[Reply | None], Field(max_length=100)]
    pageInfo: PageInfo


class Thread(Shape):
    """An issue, a change request or a discussion."""

    number: Number
    created_at: Time = Field(validation_alias="createdAt")
    updated_at: Time = Field(validation_alias="updatedAt")
    closed_at: Time | None = Field(validation_alias="closedAt", default=None)
    merged_at: Time | None = Field(validation_alias="mergedAt", default=None)
    merger: Merger | None = Field(validation_alias="mergedBy", default=None)
    author: Actor | None
    association: Annotated[str, Field(validation_alias="authorAssociation", max_length=40)]
    comments: Replies


class ThreadReplies(Shape):
    """The comments and reviews of a thread, without the thread itself."""

    comments: Replies


class ReleaseNode(Shape):
    """A release as GitHub lists it."""

    tag: Annotated[
        str, Field(validation_alias="tagName", min_length=1, max_length=300), AfterValidator(clean_text)
    ]
    created_at: Time = Field(validation_alias="createdAt")
    published_at: Time | None = Field(validation_alias="publishedAt", default=None)
    is_draft: bool = Field(validation_alias="isDraft")
    is_prerelease: bool = Field(validation_alias="isPrerelease")


class Connection(Shape):
    """One page of a connection; its nodes are checked separately."""

    totalCount: Count
    pageInfo: PageInfo
    nodes: Annotated[list[Any], Field(max_length=100)]


class Owner(Shape):
    """The account that a repository belongs to."""

    typename: Annotated[str, Field(alias="__typename", max_length=100)]
    login: Text
    name: Text | None = None
    company: Text | None = None
    is_verified: bool | None = Field(validation_alias="isVerified", default=None)
    created_at: Time | None = Field(validation_alias="createdAt", default=None)


class Overview(Shape):
    """Facts and totals of one repository."""

    github_id: Annotated[int, Field(validation_alias="databaseId", ge=1, le=2**63 - 1)]
    known_as: Annotated[str, Field(validation_alias="nameWithOwner", max_length=200)]
    description: Text | None = None
    created_at: Time = Field(validation_alias="createdAt")
    is_archived: bool = Field(validation_alias="isArchived")
    archived_at: Time | None = Field(validation_alias="archivedAt", default=None)
    is_fork: bool = Field(validation_alias="isFork")
    has_issues: bool = Field(validation_alias="hasIssuesEnabled")
    has_discussions: bool = Field(validation_alias="hasDiscussionsEnabled", default=False)
    licence: Text | None = Field(validation_alias=AliasPath("licenseInfo", "spdxId"), default=None)
    owner: Owner
    stars: Count = Field(validation_alias="stargazerCount")
    forks: Count = Field(validation_alias="forkCount")
    watchers: Total
    openIssues: Total
    closedIssues: Total
    openPulls: Total
    closedPulls: Total
    mergedPulls: Total
    discussions: Total
    releases: Total


@dataclass(frozen=True)
class FirstResponse:
    """The first response of a person to a thread.

    Attributes:
        at: its time; None: no response so far.
        is_sure: whether all comments and reviews that could be earlier were read.
    """

    at: datetime | None
    is_sure: bool


def find_first_response(author: str | None, replies: Replies) -> FirstResponse:
    """Find the earliest comment or review by a person who is not the author.

    Args:
        author: login of the thread's author; None: a deleted account, which counts as the same
            person as any other deleted account.
        replies: a page of comments and reviews; no earlier page has a response.
    """
    times = [
        at
        for reply in replies.nodes
        if reply is not None and (at := reply.submitted_at or reply.at) is not None
        if (reply.author.login if reply.author else None) != author
        and not (reply.author and reply.author.is_bot)
    ]
    best = min(times, default=None)
    return FirstResponse(best, best is not None or not replies.pageInfo.hasNextPage)


SHARED_FIELDS = {"github_id", "known_as", "description", "licence", "is_archived", "has_issues"}
"""Fields of a repository that have the names of the columns, in both APIs of GitHub."""


def build_repository_row(overview: Overview, day: date, earlier_status: str | None = None) -> dict[str, Any]:
    """Build the row of ``repositories``; one that is no longer archived or gone is active again."""
    was_ended = earlier_status in {"archived", "gone"}
    status = "archived" if overview.is_archived else "active" if was_ended else None
    evidence = {
        "archived": "archived on GitHub"
        + (f" since {overview.archived_at.date()}" if overview.archived_at else ""),
        "active": f"no longer {earlier_status} on GitHub",
    }
    owner = overview.owner
    return {
        "observed_on": day.isoformat(),
        "declared_status": status,
        "evidence": evidence.get(status or ""),
        **overview.model_dump(include=SHARED_FIELDS),
        "is_fork": overview.is_fork,
        "created_on": overview.created_at.date().isoformat(),
        "owner_kind": clean_text(owner.typename, 40),
        "owner_name": owner.name or owner.login,
        "owner_company": owner.company,
        "owner_is_verified": owner.is_verified,
        "owner_since": owner.created_at.date().isoformat() if owner.created_at else None,
    }


def read_totals(overview: Overview) -> dict[str, int | None]:
    """Return the totals of an overview; None for the issues or discussions that are disabled."""
    issues = overview.has_issues
    return {
        "stars": overview.stars,
        "forks": overview.forks,
        "watchers": overview.watchers.totalCount,
        "open_issues": overview.openIssues.totalCount if issues else None,
        "closed_issues": overview.closedIssues.totalCount if issues else None,
        "open_change_requests": overview.openPulls.totalCount,
        "closed_change_requests": overview.closedPulls.totalCount,
        "merged_change_requests": overview.mergedPulls.totalCount,
        "discussions": overview.discussions.totalCount if overview.has_discussions else None,
    }


def read_star_weeks(weeks: object) -> list[tuple[int, int]]:
    """Return (start in seconds since 1970, stars) of each week of ``stargazers/history``, newest first.

    Raises:
        Unsound: a week is incomplete, or its days do not add up.
    """
    rows = []
    for value in weeks if isinstance(weeks, Sequence) and not isinstance(weeks, str) else [None]:
        week = read_as(_Week, value, "GitHub's star history")
        if sum(week.days) != week.total:
            raise Unsound("GitHub's star history: the days of a week do not add up to its total")
        rows.append((week.start, week.total))
    return rows


class _Week(Shape):
    start: Annotated[int, Field(validation_alias="week", ge=0, le=4_102_444_800)]
    total: Count
    days: Annotated[list[Count], Field(min_length=7, max_length=7)]
