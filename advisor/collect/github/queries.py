"""The GraphQL queries for GitHub, and their cost by GitHub's published formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# GitHub's name of a connection → kind of the fact rows.
KINDS: Mapping[str, str] = {
    "issues": "issue",
    "pullRequests": "change_request",
    "discussions": "discussion",
    "releases": "release",
}
# Only issues have a "changed since" filter; of the other kinds, later readings start at the newest.
HAS_SINCE = frozenset({"issues"})
COMMENTS, COMMENTS_AND_REVIEWS = 5, 10
MORE_COMMENTS = 100  # comments per follow-up, for a thread whose first comments are by its author or bots
ROWS_OF_A_POINT = 144  # one connection each, five of the lists: 149, which GitHub rounds to one point

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
_REPLIES = f"pageInfo {{ hasNextPage endCursor }} nodes {{ createdAt {_PERSON} }}"
# One connection for comments and reviews, in order of time: two would cost twice as many points.
_TIMELINE = (
    "pageInfo { hasNextPage endCursor } nodes { __typename "
    f"... on IssueComment {{ createdAt {_PERSON} }} ... on PullRequestReview {{ submittedAt {_PERSON} }} }}"
)
_TYPES = "itemTypes: [ISSUE_COMMENT, PULL_REQUEST_REVIEW]"
_NODES: Mapping[str, str] = {
    "issues": (
        f"number createdAt updatedAt closedAt {_PERSON} authorAssociation "
        f"comments(first: {COMMENTS}) {{ {_REPLIES} }}"
    ),
    "pullRequests": (
        f"number createdAt updatedAt closedAt mergedAt {_PERSON} authorAssociation "
        "mergedBy { __typename login ... on User { company } } "
        f"comments: timelineItems(first: {COMMENTS_AND_REVIEWS}, {_TYPES}) {{ {_TIMELINE} }}"
    ),
    "discussions": (
        f"number createdAt updatedAt closedAt {_PERSON} authorAssociation "
        f"comments(first: {COMMENTS}) {{ {_REPLIES} }}"
    ),
    "releases": "tagName createdAt publishedAt isDraft isPrerelease",
}
_CONNECTIONS_OF_A_NODE = {"issues": 1, "pullRequests": 1, "discussions": 1, "releases": 0}


@dataclass(frozen=True)
class Page:
    """One page of one kind: its size, start cursor, earliest change and order."""

    first: int
    after: str | None = None
    since: str | None = None
    is_ascending: bool = True


@dataclass(frozen=True)
class Document:
    """A GraphQL query with its variables, and the most points that it can cost.

    GitHub's formula: the requests needed to fill every connection, divided by 100 and rounded, at least 1
    (docs.github.com, "Rate limits and query limits for the GraphQL API"). GitHub does not say whether
    a connection of which only the total is read costs anything; we count it.
    """

    query: str
    variables: Mapping[str, object]
    connections: int

    @property
    def points(self) -> int:
        """Points by the formula."""
        return compute_points(self.connections)


def compute_points(connections: int) -> int:
    """Return the points of a query that fills this many connections; halves round up."""
    return max(1, (connections + 50) // 100)


def build_overview_query(repositories: Mapping[str, tuple[str, str]]) -> Document:
    """Build the query for facts and totals of many repositories: alias → (owner, name)."""
    parameters, selections = [], []
    variables: dict[str, object] = {}
    for alias, (owner, name) in repositories.items():
        parameters.append(f"${alias}o: String!, ${alias}n: String!")
        selections.append(f"{alias}: repository(owner: ${alias}o, name: ${alias}n) {{ ...Overview }}")
        variables |= {f"{alias}o": owner, f"{alias}n": name}
    query = (
        f"{_OVERVIEW}\nquery Overview({', '.join(parameters)}) {{\n  {_RATE}\n  "
        + "\n  ".join(selections)
        + "\n}"
    )
    return Document(query, variables, _OVERVIEW_CONNECTIONS * len(repositories))


def build_pages_query(owner: str, name: str, pages: Mapping[str, Page]) -> Document:
    """Build the query for one page of each of several kinds of one repository."""
    parameters, selections = ["$owner: String!", "$name: String!"], []
    variables: dict[str, object] = {"owner": owner, "name": name}
    connections = 0
    for kind, page in pages.items():
        parameters += [f"${kind}First: Int!", f"${kind}After: String"]
        variables |= {f"{kind}First": page.first, f"{kind}After": page.after}
        field = "CREATED_AT" if kind == "releases" else "UPDATED_AT"
        order = f"{{field: {field}, direction: {'ASC' if page.is_ascending else 'DESC'}}}"
        arguments = f"first: ${kind}First, after: ${kind}After, orderBy: {order}"
        if kind in HAS_SINCE:
            parameters.append(f"${kind}Since: DateTime")
            variables[f"{kind}Since"] = page.since
            arguments += f", filterBy: {{since: ${kind}Since}}"
            selections.append(f"{kind}All: {kind} {{ totalCount }}")
            connections += 1
        selections.append(
            f"{kind}({arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }}"
            f" nodes {{ {_NODES[kind]} }} }}"
        )
        connections += 1 + page.first * _CONNECTIONS_OF_A_NODE[kind]
    query = (
        f"query Pages({', '.join(parameters)}) {{\n  {_RATE}\n"
        "  repository(owner: $owner, name: $name) {\n    databaseId\n    "
        + "\n    ".join(selections)
        + "\n  }\n}"
    )
    return Document(query, variables, connections)


def build_responses_query(
    owner: str, name: str, threads: Mapping[str, tuple[str, int, str | None]]
) -> Document:
    """Build the query for more comments of threads: alias → (kind of row, number, cursor of its comments)."""
    parameters, selections = ["$owner: String!", "$name: String!"], []
    variables: dict[str, object] = {"owner": owner, "name": name}
    connections = 0
    for alias, (kind, number, after) in threads.items():
        parameters += [f"${alias}: Int!", f"${alias}After: String"]
        variables |= {alias: number, f"{alias}After": after}
        page = f"first: {MORE_COMMENTS}, after: ${alias}After"
        comments = f"comments({page}) {{ {_REPLIES} }}"
        connections += 1
        if kind == "discussion":
            selections.append(f"{alias}: discussion(number: ${alias}) {{ {comments} }}")
        elif kind == "change_request":
            timeline = f"comments: timelineItems({page}, {_TYPES}) {{ {_TIMELINE} }}"
            selections.append(f"{alias}: pullRequest(number: ${alias}) {{ {timeline} }}")
        else:
            selections.append(f"{alias}: issue(number: ${alias}) {{ {comments} }}")
    query = (
        f"query Responses({', '.join(parameters)}) {{\n  {_RATE}\n"
        "  repository(owner: $owner, name: $name) {\n    databaseId\n    "
        + "\n    ".join(selections)
        + "\n  }\n}"
    )
    return Document(query, variables, connections)
