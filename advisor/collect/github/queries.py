"""The GraphQL documents that GitHub is asked, and what each costs by GitHub's published formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# GitHub's names for the things, and ours for the rows that they become.
KINDS: Mapping[str, str] = {
    "issues": "issue",
    "pullRequests": "change_request",
    "discussions": "discussion",
    "releases": "release",
}
# Only issues can be asked for "changed since"; of the others the newest come first.
HAS_SINCE = frozenset({"issues"})
COMMENTS, REVIEWS = 5, 5
FOLLOWED = 100  # comments of one thread in one answer, where its first ones were all by its author or bots

_RATE = "rateLimit { cost limit remaining resetAt }"

_OVERVIEW = """fragment Overview on Repository {
  databaseId nameWithOwner description createdAt isArchived archivedAt isFork
  hasIssuesEnabled hasDiscussionsEnabled stargazerCount forkCount
  watchers { totalCount }
  licenseInfo { spdxId }
  owner {
    __typename login
    ... on Organization { name isVerified createdAt }
    ... on User { name company createdAt }
  }
  openIssues: issues(states: OPEN) { totalCount }
  closedIssues: issues(states: CLOSED) { totalCount }
  openPulls: pullRequests(states: OPEN) { totalCount }
  closedPulls: pullRequests(states: CLOSED) { totalCount }
  mergedPulls: pullRequests(states: MERGED) { totalCount }
  discussions { totalCount }
  releases { totalCount }
}"""
_OVERVIEW_CONNECTIONS = 8

_PERSON = "author { __typename login }"
_RESPONSES = f"totalCount nodes {{ createdAt {_PERSON} }}"
_NODES: Mapping[str, str] = {
    "issues": (
        f"number createdAt updatedAt closedAt {_PERSON} authorAssociation "
        f"comments(first: {COMMENTS}) {{ {_RESPONSES} }}"
    ),
    "pullRequests": (
        f"number createdAt updatedAt closedAt mergedAt {_PERSON} authorAssociation "
        "mergedBy { __typename login ... on User { company } } "
        f"comments(first: {COMMENTS}) {{ {_RESPONSES} }} "
        f"reviews(first: {REVIEWS}) {{ totalCount nodes {{ submittedAt {_PERSON} }} }}"
    ),
    "discussions": (
        f"number createdAt updatedAt closedAt {_PERSON} authorAssociation "
        f"comments(first: {COMMENTS}) {{ {_RESPONSES} }}"
    ),
    "releases": "tagName createdAt publishedAt isDraft isPrerelease",
}
_CONNECTIONS_OF_A_NODE = {"issues": 1, "pullRequests": 2, "discussions": 1, "releases": 0}


@dataclass(frozen=True)
class Page:
    """One page of one kind: how many, after which cursor, changed since when, in which order."""

    first: int
    after: str | None = None
    since: str | None = None
    is_ascending: bool = True


@dataclass(frozen=True)
class Document:
    """A GraphQL request and the points that it will cost at most.

    GitHub: the requests needed to fill every connection, divided by 100 and rounded, at least 1
    (docs.github.com, "Rate limits and query limits for the GraphQL API"). Whether connections that
    are only counted cost anything is not said there; they are taken to.
    """

    query: str
    variables: Mapping[str, object]
    connections: int

    @property
    def points(self) -> int:
        """Points by the formula."""
        return points(self.connections)


def points(connections: int) -> int:
    """Points of a document that fills that many connections; halves are rounded up."""
    return max(1, (connections + 50) // 100)


def overview(repositories: Mapping[str, tuple[str, str]]) -> Document:
    """The facts and totals of many repositories at once: alias → (owner, name)."""
    declared, asked = [], []
    variables: dict[str, object] = {}
    for alias, (owner, name) in repositories.items():
        declared.append(f"${alias}o: String!, ${alias}n: String!")
        asked.append(f"{alias}: repository(owner: ${alias}o, name: ${alias}n) {{ ...Overview }}")
        variables |= {f"{alias}o": owner, f"{alias}n": name}
    query = (
        f"{_OVERVIEW}\nquery Overview({', '.join(declared)}) {{\n  {_RATE}\n  " + "\n  ".join(asked) + "\n}"
    )
    return Document(query, variables, _OVERVIEW_CONNECTIONS * len(repositories))


def pages(owner: str, name: str, wanted: Mapping[str, Page]) -> Document:
    """The next page of each of several kinds of one repository, in one document."""
    declared, asked = ["$owner: String!", "$name: String!"], []
    variables: dict[str, object] = {"owner": owner, "name": name}
    connections = 0
    for kind, page in wanted.items():
        declared += [f"${kind}First: Int!", f"${kind}After: String"]
        variables |= {f"{kind}First": page.first, f"{kind}After": page.after}
        field = "CREATED_AT" if kind == "releases" else "UPDATED_AT"
        order = f"{{field: {field}, direction: {'ASC' if page.is_ascending else 'DESC'}}}"
        arguments = f"first: ${kind}First, after: ${kind}After, orderBy: {order}"
        if kind in HAS_SINCE:
            declared.append(f"${kind}Since: DateTime")
            variables[f"{kind}Since"] = page.since
            arguments += f", filterBy: {{since: ${kind}Since}}"
            asked.append(f"{kind}All: {kind} {{ totalCount }}")
            connections += 1
        asked.append(
            f"{kind}({arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }}"
            f" nodes {{ {_NODES[kind]} }} }}"
        )
        connections += 1 + page.first * _CONNECTIONS_OF_A_NODE[kind]
    query = (
        f"query Pages({', '.join(declared)}) {{\n  {_RATE}\n"
        "  repository(owner: $owner, name: $name) {\n    databaseId\n    " + "\n    ".join(asked) + "\n  }\n}"
    )
    return Document(query, variables, connections)


def responses(owner: str, name: str, threads: Mapping[str, tuple[str, int, str | None]]) -> Document:
    """More comments of single threads: alias → (kind of row, number, cursor of its comments)."""
    declared, asked = ["$owner: String!", "$name: String!"], []
    variables: dict[str, object] = {"owner": owner, "name": name}
    connections = 0
    for alias, (kind, number, after) in threads.items():
        declared += [f"${alias}: Int!", f"${alias}After: String"]
        variables |= {alias: number, f"{alias}After": after}
        comments = (
            f"comments(first: {FOLLOWED}, after: ${alias}After)"
            f" {{ pageInfo {{ hasNextPage endCursor }} {_RESPONSES} }}"
        )
        reviews = f"reviews(first: {FOLLOWED}) {{ totalCount nodes {{ submittedAt {_PERSON} }} }}"
        connections += 1
        if kind == "discussion":
            asked.append(f"{alias}: discussion(number: ${alias}) {{ {comments} }}")
        elif kind == "change_request":
            asked.append(f"{alias}: pullRequest(number: ${alias}) {{ {comments} {reviews} }}")
            connections += 1
        else:
            asked.append(f"{alias}: issue(number: ${alias}) {{ {comments} }}")
    query = (
        f"query Responses({', '.join(declared)}) {{\n  {_RATE}\n"
        "  repository(owner: $owner, name: $name) {\n    databaseId\n    " + "\n    ".join(asked) + "\n  }\n}"
    )
    return Document(query, variables, connections)
