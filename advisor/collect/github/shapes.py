"""What GitHub's answers must look like, and the rows that they become.

Everything is checked here, before anything is kept: types, ranges, lengths. A response is the first
comment or review by a human who is not the author. People are compared, not kept in the facts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, Field

from advisor.collect.git.authors import BOT
from advisor.collect.http.messages import clean
from advisor.collect.http.shapes import EARLIEST, Count, Cursor, Number, Shape, Text, Time, read_as
from advisor.errors import Unsound

_ORGANISATION = re.compile(r"(?<![\w@.-])@[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\b")


class Total(Shape):
    """A connection that is only counted."""

    totalCount: Count


class Actor(Shape):
    """A user, bot or other account; None in its place is a deleted one (a "ghost")."""

    typename: Annotated[str, Field(alias="__typename", max_length=100)]
    login: Annotated[str, Field(max_length=200)]

    @property
    def is_bot(self) -> bool:
        """Whether GitHub or the login says that it is a machine."""
        return self.typename == "Bot" or bool(BOT.search(self.login))


class Merger(Actor):
    """Who merged a change request, and the company that they name, if they are a user."""

    company: Text | None = None

    @property
    def organisation(self) -> str | None:
        """The organisation on GitHub that the company names ("@pytorch"), with the @ and in lower case.

        The first one, as GitHub links it; other words are not guessed at. None for a machine: it stands
        for somebody else.
        """
        found = _ORGANISATION.search(self.company or "")
        return found[0].lower() if found and not self.is_bot else None


class Reply(Shape):
    """A comment, or a review (whose time is that of its submission)."""

    author: Actor | None
    at: Time | None = Field(validation_alias="createdAt", default=None)
    submitted_at: Time | None = Field(validation_alias="submittedAt", default=None)


class PageInfo(Shape):
    """Whether and where the connection goes on."""

    hasNextPage: bool
    endCursor: Cursor | None = None


class Replies(Shape):
    """The first comments or reviews of a thread, oldest first."""

    totalCount: Count
    nodes: Annotated[list[Reply | None], Field(max_length=100)]
    pageInfo: PageInfo | None = None


class Thread(Shape):
    """An issue, a change request or a discussion."""

    number: Number
    created: Time = Field(validation_alias="createdAt")
    updated: Time = Field(validation_alias="updatedAt")
    closed: Time | None = Field(validation_alias="closedAt", default=None)
    merged: Time | None = Field(validation_alias="mergedAt", default=None)
    merger: Merger | None = Field(validation_alias="mergedBy", default=None)
    author: Actor | None
    association: Annotated[str, Field(validation_alias="authorAssociation", max_length=40)]
    comments: Replies
    reviews: Replies | None = None


class Replying(Shape):
    """A thread that is asked for its responses alone."""

    comments: Replies
    reviews: Replies | None = None


class Release(Shape):
    """A release as GitHub lists it."""

    tag: Annotated[
        str, Field(validation_alias="tagName", min_length=1, max_length=300), AfterValidator(clean)
    ]
    created: Time = Field(validation_alias="createdAt")
    published: Time | None = Field(validation_alias="publishedAt", default=None)
    is_draft: bool = Field(validation_alias="isDraft")
    is_prerelease: bool = Field(validation_alias="isPrerelease")


class Connection(Shape):
    """One page of a connection; its nodes are read apart."""

    totalCount: Count
    pageInfo: PageInfo
    nodes: Annotated[list[Any], Field(max_length=100)]


class Owner(Shape):
    """The account that a repository belongs to."""

    typename: Annotated[str, Field(alias="__typename", max_length=100)]
    login: Text
    name: Text | None = None
    company: Text | None = None
    isVerified: bool | None = None
    created: Time | None = Field(validation_alias="createdAt", default=None)


class Overview(Shape):
    """Facts and totals of one repository."""

    github_id: Annotated[int, Field(validation_alias="databaseId", ge=1, le=2**63 - 1)]
    known_as: Annotated[str, Field(validation_alias="nameWithOwner", max_length=200)]
    description: Text | None = None
    created: Time = Field(validation_alias="createdAt")
    is_archived: bool = Field(validation_alias="isArchived")
    archived: Time | None = Field(validation_alias="archivedAt", default=None)
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
class Response:
    """The first human response to a thread.

    Attributes:
        at: when; None: none so far.
        is_sure: whether everything was seen that could hold an earlier one.
        before: cursor after which further comments are to be read, if we know it.
    """

    at: datetime | None
    is_sure: bool


def first_response(
    author: str | None, comments: Replies, reviews: Replies | None = None, *, after_all: bool = False
) -> Response:
    """The earliest comment or review by a human who is not the author.

    Args:
        author: login of who opened the thread; None: a deleted account, which is taken to be the same
            person as any other deleted account.
        comments: the first ones, oldest first.
        reviews: the same of a change request's reviews.
        after_all: whether ``comments`` is a later page, so that its total says nothing.
    """
    found: list[datetime] = []
    unseen: list[datetime] = []
    for replies in (comments, reviews):
        if replies is None:
            continue
        times = []
        last = EARLIEST
        for reply in replies.nodes:
            at = (reply.submitted_at or reply.at) if reply is not None else None
            if reply is None or at is None:
                continue
            last = max(last, at)
            login = reply.author.login if reply.author else None
            if login != author and not (reply.author and reply.author.is_bot):
                times.append(at)
        if times:
            found.append(min(times))
        elif after_all and replies is comments:
            if replies.pageInfo is not None and replies.pageInfo.hasNextPage:
                unseen.append(last)
        elif replies.totalCount > len(replies.nodes):
            unseen.append(last)
    best = min(found, default=None)
    return Response(best, not any(best is None or u < best for u in unseen))


SAME_WORDS = {"github_id", "known_as", "description", "licence", "is_archived", "has_issues"}
"""Fields of a repository that are named as the columns are, in both of GitHub's APIs."""


def repository_row(seen: Overview, day: date, *, was_archived: bool = False) -> dict[str, Any]:
    """The row of ``repositories``; a repository that came back from the archive is active again."""
    status = "archived" if seen.is_archived else "active" if was_archived else None
    evidence = {
        "archived": "archived on GitHub" + (f" since {seen.archived.date()}" if seen.archived else ""),
        "active": "taken out of the archive on GitHub",
    }
    owner = seen.owner
    return {
        "observed_on": day.isoformat(),
        "declared_status": status,
        "evidence": evidence.get(status or ""),
        **seen.model_dump(include=SAME_WORDS),
        "is_fork": seen.is_fork,
        "created_on": seen.created.date().isoformat(),
        "owner_kind": clean(owner.typename, 40),
        "owner_name": owner.name or owner.login,
        "owner_company": owner.company,
        "owner_is_verified": owner.isVerified,
        "owner_since": owner.created.date().isoformat() if owner.created else None,
    }


def totals(seen: Overview) -> dict[str, int | None]:
    """The totals of an overview; those of a tracker that is switched off are not known."""
    issues = seen.has_issues
    return {
        "stars": seen.stars,
        "forks": seen.forks,
        "watchers": seen.watchers.totalCount,
        "open_issues": seen.openIssues.totalCount if issues else None,
        "closed_issues": seen.closedIssues.totalCount if issues else None,
        "open_change_requests": seen.openPulls.totalCount,
        "closed_change_requests": seen.closedPulls.totalCount,
        "merged_change_requests": seen.mergedPulls.totalCount,
        "discussions": seen.discussions.totalCount if seen.has_discussions else None,
    }


def star_weeks(answer: object) -> list[tuple[int, int]]:
    """(start in seconds since 1970, stars) of each week of ``stargazers/history``, newest first.

    Raises:
        Unsound: a week is not whole or its days do not add up.
    """
    found = []
    for week in answer if isinstance(answer, Sequence) and not isinstance(answer, str) else [None]:
        read = read_as(_Week, week, "GitHub's star history")
        if sum(read.days) != read.total:
            raise Unsound("GitHub's star history: the days of a week do not add up to its total")
        found.append((read.week, read.total))
    return found


class _Week(Shape):
    week: Annotated[int, Field(ge=0, le=4_102_444_800)]
    total: Count
    days: Annotated[list[Count], Field(min_length=7, max_length=7)]
