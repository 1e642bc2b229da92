"""The repositories of the fake GitHub, as dicts with the names of GraphQL.

A seed determines all of them. The methods of `World` change them as people do, so that a second collection
finds changes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ASSOCIATIONS = ("NONE", "NONE", "CONTRIBUTOR", "MEMBER")


def iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(number: int) -> dict[str, Any]:
    company = ("@huggingface", None, "Meta", None)[number % 4]
    return {"__typename": "User", "login": f"user-{number}", "databaseId": 1000 + number, "company": company,
            "name": f"User {number}", "createdAt": "2019-01-01T00:00:00Z"}  # fmt: skip


BOT = {"__typename": "Bot", "login": "dependabot", "databaseId": 9, "createdAt": "2019-01-01T00:00:00Z"}


@dataclass
class World:
    """Repositories by full name, renames and blocked repositories."""

    seed: int = 1
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    blocked_names: set[str] = field(default_factory=set)
    forbidden_names: set[str] = field(default_factory=set)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def add(
        self,
        full: str,
        issues: int = 20,
        pulls: int = 15,
        discussions: int = 4,
        releases: int = 3,
        stars: int = 500,
        weeks: int = 80,
        **other: Any,
    ) -> dict[str, Any]:
        owner, name = full.split("/")
        rng = self.random
        numbers = list(range(1, issues + pulls + discussions + 1))
        rng.shuffle(numbers)
        repository = {
            "__typename": "Repository",
            "databaseId": 100 + len(self.repositories),
            "nameWithOwner": full,
            "name": name,
            "description": f"about {name}",
            "createdAt": "2023-01-01T00:00:00Z",
            "isArchived": False,
            "archivedAt": None,
            "isFork": False,
            "isEmpty": False,
            "hasIssuesEnabled": True,
            "hasDiscussionsEnabled": discussions > 0,
            "stargazerCount": stars,
            "forkCount": 30,
            "watchers": [user(i) for i in range(7)],
            "licenseInfo": {"spdxId": "Apache-2.0"},
            "owner": {"__typename": "Organization", "login": owner, "databaseId": 5, "name": owner.title(),
                      "isVerified": True, "createdAt": "2020-01-01T00:00:00Z"},
            "issues": [self._thread("Issue", numbers.pop()) for _ in range(issues)],
            "pullRequests": [self._thread("PullRequest", numbers.pop()) for _ in range(pulls)],
            "discussions": [self._thread("Discussion", numbers.pop()) for _ in range(discussions)],
            "releases": [self._release(i) for i in range(releases)],
            "weeks": self._weeks(stars, weeks),
            **other,
        }  # fmt: skip
        self.repositories[full] = repository
        return repository

    def _weeks(self, stars: int, weeks: int) -> list[dict[str, Any]]:
        """Return the weeks of ``stargazers/history``, newest first; older stars complete the total."""
        start = int(self.now.timestamp()) // 604800 * 604800
        rows = []
        for i in range(weeks):
            days = [self.random.randrange(2) if stars else 0 for _ in range(7)]
            if i == 0:
                days[5:] = [0, 0]  # days in the future
            rows.append({"week": start - i * 604800, "total": sum(days), "days": days})
        while sum(w["total"] for w in rows) > stars:
            rows.pop()
        return rows

    def _release(self, i: int) -> dict[str, Any]:
        at = iso(self.now - timedelta(days=20 + 40 * i))
        return {"tagName": f"v1.{i}.0", "name": f"Release {i}", "createdAt": at, "publishedAt": at, "isDraft": False,
                "isPrerelease": i % 4 == 3}  # fmt: skip

    def _person(self) -> dict[str, Any] | None:
        roll = self.random.random()
        return None if roll < 0.05 else dict(BOT) if roll < 0.12 else user(self.random.randrange(40))

    def _reply(self, at: datetime, author: dict[str, Any] | None) -> dict[str, Any]:
        return {"createdAt": iso(at), "author": author, "authorAssociation": "MEMBER"}

    def _thread(self, kind: str, number: int) -> dict[str, Any]:
        rng = self.random
        opened_at = self.now - timedelta(seconds=rng.randrange(86400, 500 * 86400))
        author = self._person()
        comments = []
        at = opened_at
        # Some authors write more comments than the first page holds.
        monologue = rng.randrange(6, 9) if rng.random() < 0.06 else rng.choice((0, 0, 1))
        for i in range(monologue + rng.choice((0, 0, 1, 2, 3))):
            at += timedelta(seconds=int(rng.expovariate(1 / 40000)) + 1)
            comments.append(self._reply(at, author if i < monologue else self._person()))
        closed_at = None
        if rng.random() < 0.6:
            closed_at = opened_at + timedelta(seconds=int(rng.expovariate(1 / (12 * 86400))) + 60)
            closed_at = closed_at if closed_at < self.now else None
        comments = [c for c in comments if c["createdAt"] <= iso(self.now)]
        thread = {
            "__typename": kind,
            "number": number,
            "createdAt": iso(opened_at),
            "closedAt": iso(closed_at) if closed_at else None,
            "state": "CLOSED" if closed_at else "OPEN",
            "author": author,
            "authorAssociation": rng.choice(ASSOCIATIONS),
            "comments": comments,
        }
        if kind == "PullRequest":
            is_merged = closed_at is not None and rng.random() < 0.7
            thread |= {"mergedAt": thread["closedAt"] if is_merged else None, "reviews": []}
            merger = dict(BOT) if number % 9 == 0 else user(number % 40)
            thread["mergedBy"] = merger if is_merged else None
            thread["state"] = "MERGED" if is_merged else thread["state"]
            if rng.random() < 0.5:
                submitted_at = min(opened_at + timedelta(seconds=rng.randrange(600, 400000)), self.now)
                thread["reviews"] = [{**self._reply(submitted_at, self._person()), "submittedAt": iso(submitted_at),
                                    "state": "APPROVED"}]  # fmt: skip
        thread["updatedAt"] = max(
            [thread["createdAt"], thread["closedAt"] or "", *(c["createdAt"] for c in comments)]
        )
        return thread

    # Actions of people

    def touch(self, thread: dict[str, Any]) -> None:
        self.now += timedelta(seconds=self.random.randrange(1, 100))
        thread["updatedAt"] = iso(self.now)

    def comment(self, full: str, number: int, author: dict[str, Any] | None = None) -> None:
        thread = self.find(full, number)
        self.touch(thread)
        thread["comments"].append(self._reply(self.now, author or user(77)))

    def close(self, full: str, number: int) -> None:
        thread = self.find(full, number)
        self.touch(thread)
        thread |= {"closedAt": iso(self.now), "state": "CLOSED"}

    def open(self, full: str, kind: str = "issues") -> int:
        repository = self.repositories[full]
        number = 1 + max(
            (t["number"] for k in ("issues", "pullRequests", "discussions") for t in repository[k]), default=0
        )
        name = {"issues": "Issue", "pullRequests": "PullRequest", "discussions": "Discussion"}[kind]
        thread = self._thread(name, number)
        thread |= {"createdAt": iso(self.now), "closedAt": None, "state": "OPEN", "comments": []}
        if kind == "pullRequests":
            thread |= {"mergedAt": None, "reviews": []}
        self.touch(thread)
        repository[kind].append(thread)
        return number

    def delete(self, full: str, number: int) -> None:
        for kind in ("issues", "pullRequests", "discussions"):
            rows = self.repositories[full][kind]
            rows[:] = [t for t in rows if t["number"] != number]

    def release(self, full: str, tag: str) -> None:
        self.now += timedelta(minutes=1)
        release = {
            **self._release(0),
            "tagName": tag,
            "createdAt": iso(self.now),
            "publishedAt": iso(self.now),
        }
        self.repositories[full]["releases"].insert(0, release)

    def rename(self, old: str, new: str) -> None:
        repository = self.repositories.pop(old)
        owner, name = new.split("/")
        repository |= {"nameWithOwner": new, "name": name, "owner": {**repository["owner"], "login": owner}}
        self.repositories[new] = repository
        self.renames[old] = new

    def find(self, full: str, number: int) -> dict[str, Any]:
        repository = self.repositories[full]
        return next(
            t
            for k in ("issues", "pullRequests", "discussions")
            for t in repository[k]
            if t["number"] == number
        )

    def resolve(self, full: str) -> dict[str, Any] | None:
        """Return a repository by its present or former name, in any case."""
        full = self.renames.get(full, full)
        return next((r for n, r in self.repositories.items() if n.lower() == full.lower()), None)
