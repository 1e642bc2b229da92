"""REST of the fake: what matters is said here, what else GitHub's OpenAPI requires is filled in from it."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from fake_github.graphql_side import CONTRACT
from fake_github.world import World


@cache
def contract() -> dict[str, Any]:
    return json.loads((CONTRACT / "openapi.json").read_text())


def schema_of(path: str) -> dict[str, Any]:
    """JSON schema of a path's answer, with the components that it refers to."""
    return {**contract()["paths"][path], "components": contract()["components"]}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


@cache
def _blank(text: str) -> Any:
    """A value of a schema with nothing in it but what must be."""
    schema = _resolved(json.loads(text))
    if schema.get("nullable"):
        return None
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            return _blank(json.dumps(schema[key][0]))
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        inner = schema.get("properties", {})
        return {k: _blank(json.dumps(inner.get(k, {}))) for k in schema.get("required", ()) if k in inner}
    if kind == "string":
        formats = {"uri": "https://github.example/x", "date-time": "2026-01-01T00:00:00Z"}
        return formats.get(schema.get("format", ""), "")
    return {"array": [], "integer": 0, "number": 0, "boolean": False}[kind]


def fill(component: str, /, **known: Any) -> dict[str, Any]:
    """A component by name: blank but for what is known."""
    schema = {**contract()["components"]["schemas"][component], "nullable": False}
    return {**copy.deepcopy(_blank(json.dumps(schema))), **known}


def person(actor: dict[str, Any] | None) -> dict[str, Any]:
    # A deleted account is GraphQL's null and REST's user "ghost" (github.com/ghost, id 10137).
    if actor is None:
        return fill("simple-user", login="ghost", id=10137, type="User")
    is_bot = actor["__typename"] == "Bot"
    return fill("simple-user", login=actor["login"] + ("[bot]" if is_bot else ""), id=actor["databaseId"],
                type=actor["__typename"], url=f"https://api.github.example/users/{actor['login']}")  # fmt: skip


class RestSide:
    def __init__(self, world: World) -> None:
        self.world = world

    def repository(self, r: dict[str, Any], base: str) -> dict[str, Any]:
        opened = sum(t["state"] == "OPEN" for k in ("issues", "pullRequests") for t in r[k])
        licence = r["licenseInfo"] and fill(
            "nullable-license-simple", spdx_id=r["licenseInfo"]["spdxId"], key="x", name="x"
        )
        return fill(
            "full-repository", id=r["databaseId"], full_name=r["nameWithOwner"], name=r["name"],
            owner=person(r["owner"]), description=r["description"], fork=r["isFork"], archived=r["isArchived"],
            created_at=r["createdAt"], stargazers_count=r["stargazerCount"], forks_count=r["forkCount"],
            forks=r["forkCount"], subscribers_count=len(r["watchers"]), has_issues=r["hasIssuesEnabled"],
            has_discussions=r["hasDiscussionsEnabled"], license=licence, open_issues_count=opened,
            open_issues=opened, url=f"{base}/repos/{r['nameWithOwner']}",
        )  # fmt: skip

    def issue(self, t: dict[str, Any], r: dict[str, Any], base: str) -> dict[str, Any]:
        url = f"{base}/repos/{r['nameWithOwner']}/issues/{t['number']}"
        known: dict[str, Any] = {}
        if t["__typename"] == "PullRequest":
            pull = url.replace("/issues/", "/pulls/")
            known["pull_request"] = {"url": pull, "html_url": pull, "diff_url": pull, "patch_url": pull,
                                     "merged_at": t["mergedAt"]}  # fmt: skip
        return fill(
            "issue", number=t["number"], id=t["number"], title=f"Number {t['number']}", url=url,
            state="open" if t["closedAt"] is None else "closed", user=person(t["author"]),
            created_at=t["createdAt"], updated_at=t["updatedAt"], closed_at=t["closedAt"],
            comments=len(t["comments"]), comments_url=f"{url}/comments",
            author_association=t["authorAssociation"], **known,
        )  # fmt: skip

    def pull(self, t: dict[str, Any], r: dict[str, Any], base: str, *, whole: bool = False) -> dict[str, Any]:
        url = f"{base}/repos/{r['nameWithOwner']}/pulls/{t['number']}"
        return fill(
            "pull-request" if whole else "pull-request-simple", number=t["number"], id=t["number"],
            title=f"Number {t['number']}", url=url, issue_url=url.replace("/pulls/", "/issues/"),
            state="open" if t["closedAt"] is None else "closed", user=person(t["author"]),
            created_at=t["createdAt"], updated_at=t["updatedAt"], closed_at=t["closedAt"],
            merged_at=t["mergedAt"], author_association=t["authorAssociation"],
        )  # fmt: skip

    def comment(self, c: dict[str, Any]) -> dict[str, Any]:
        return fill("issue-comment", user=person(c["author"]), created_at=c["createdAt"],
                    updated_at=c["createdAt"], author_association=c["authorAssociation"], body="words")  # fmt: skip

    def review(self, c: dict[str, Any]) -> dict[str, Any]:
        return fill("pull-request-review", user=person(c["author"]), submitted_at=c["submittedAt"],
                    state=c["state"], author_association=c["authorAssociation"], body="words")  # fmt: skip

    def release(self, x: dict[str, Any]) -> dict[str, Any]:
        return fill("release", tag_name=x["tagName"], name=x["name"], created_at=x["createdAt"],
                    published_at=x["publishedAt"], draft=x["isDraft"], prerelease=x["isPrerelease"],
                    author=person(None))  # fmt: skip

    def organization(self, owner: dict[str, Any]) -> dict[str, Any]:
        return fill("organization-full", login=owner["login"], id=owner["databaseId"], name=owner["name"],
                    is_verified=owner["isVerified"], created_at=owner["createdAt"], type="Organization")  # fmt: skip
