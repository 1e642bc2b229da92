"""REST API of the fake: the relevant fields are set here, other required fields come from GitHub's OpenAPI."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from fake_github.graphql_api import CONTRACT
from fake_github.world import World


@cache
def load_contract() -> dict[str, Any]:
    return json.loads((CONTRACT / "openapi.json").read_text())


def get_schema(path: str) -> dict[str, Any]:
    """Return the JSON schema of a path's response, with the components that it refers to."""
    return {**load_contract()["paths"][path], "components": load_contract()["components"]}


def _resolve_references(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = load_contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


@cache
def _build_empty_value(text: str) -> Any:
    """Return a value of a schema with only the required fields."""
    schema = _resolve_references(json.loads(text))
    if schema.get("nullable"):
        return None
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            return _build_empty_value(json.dumps(schema[key][0]))
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        fields = schema.get("properties", {})
        names = schema.get("required", ())
        return {k: _build_empty_value(json.dumps(fields.get(k, {}))) for k in names if k in fields}
    if kind == "string":
        formats = {"uri": "https://github.example/x", "date-time": "2026-01-01T00:00:00Z"}
        return formats.get(schema.get("format", ""), "")
    return {"array": [], "integer": 0, "number": 0, "boolean": False}[kind]


def build_component(component: str, /, **fields: Any) -> dict[str, Any]:
    """Return a component by name with these fields; other required fields are empty."""
    schema = {**load_contract()["components"]["schemas"][component], "nullable": False}
    return {**copy.deepcopy(_build_empty_value(json.dumps(schema))), **fields}


def build_person(actor: dict[str, Any] | None) -> dict[str, Any]:
    # A deleted account is GraphQL's null and REST's user "ghost" (github.com/ghost, id 10137).
    if actor is None:
        return build_component("simple-user", login="ghost", id=10137, type="User")
    is_bot = actor["__typename"] == "Bot"
    return build_component("simple-user", login=actor["login"] + ("[bot]" if is_bot else ""), id=actor["databaseId"],
                type=actor["__typename"], url=f"https://api.github.example/users/{actor['login']}")  # fmt: skip


class RestApi:
    def __init__(self, world: World) -> None:
        self.world = world

    def repository(self, r: dict[str, Any], base: str) -> dict[str, Any]:
        open_count = sum(t["state"] == "OPEN" for k in ("issues", "pullRequests") for t in r[k])
        licence = r["licenseInfo"] and build_component(
            "nullable-license-simple", spdx_id=r["licenseInfo"]["spdxId"], key="x", name="x"
        )
        return build_component(
            "full-repository", id=r["databaseId"], full_name=r["nameWithOwner"], name=r["name"],
            owner=build_person(r["owner"]), description=r["description"], fork=r["isFork"], archived=r["isArchived"],
            created_at=r["createdAt"], stargazers_count=r["stargazerCount"], forks_count=r["forkCount"],
            forks=r["forkCount"], subscribers_count=len(r["watchers"]), has_issues=r["hasIssuesEnabled"],
            has_discussions=r["hasDiscussionsEnabled"], license=licence, open_issues_count=open_count,
            open_issues=open_count, url=f"{base}/repos/{r['nameWithOwner']}",
        )  # fmt: skip

    def issue(self, t: dict[str, Any], r: dict[str, Any], base: str) -> dict[str, Any]:
        url = f"{base}/repos/{r['nameWithOwner']}/issues/{t['number']}"
        pull_fields: dict[str, Any] = {}
        if t["__typename"] == "PullRequest":
            pull = url.replace("/issues/", "/pulls/")
            pull_fields["pull_request"] = {"url": pull, "html_url": pull, "diff_url": pull, "patch_url": pull,
                                     "merged_at": t["mergedAt"]}  # fmt: skip
        return build_component(
            "issue", number=t["number"], id=t["number"], title=f"Number {t['number']}", url=url,
            state="open" if t["closedAt"] is None else "closed", user=build_person(t["author"]),
            created_at=t["createdAt"], updated_at=t["updatedAt"], closed_at=t["closedAt"],
            comments=len(t["comments"]), comments_url=f"{url}/comments",
            author_association=t["authorAssociation"], **pull_fields,
        )  # fmt: skip

    def pull(self, t: dict[str, Any], r: dict[str, Any], base: str, *, whole: bool = False) -> dict[str, Any]:
        url = f"{base}/repos/{r['nameWithOwner']}/pulls/{t['number']}"
        return build_component(
            "pull-request" if whole else "pull-request-simple", number=t["number"], id=t["number"],
            title=f"Number {t['number']}", url=url, issue_url=url.replace("/pulls/", "/issues/"),
            state="open" if t["closedAt"] is None else "closed", user=build_person(t["author"]),
            created_at=t["createdAt"], updated_at=t["updatedAt"], closed_at=t["closedAt"],
            merged_at=t["mergedAt"], author_association=t["authorAssociation"],
        )  # fmt: skip

    def comment(self, c: dict[str, Any]) -> dict[str, Any]:
        return build_component("issue-comment", user=build_person(c["author"]), created_at=c["createdAt"],
                    updated_at=c["createdAt"], author_association=c["authorAssociation"], body="words")  # fmt: skip

    def review(self, c: dict[str, Any]) -> dict[str, Any]:
        return build_component("pull-request-review", user=build_person(c["author"]), submitted_at=c["submittedAt"],
                    state=c["state"], author_association=c["authorAssociation"], body="words")  # fmt: skip

    def release(self, x: dict[str, Any]) -> dict[str, Any]:
        return build_component("release", tag_name=x["tagName"], name=x["name"], created_at=x["createdAt"],
                    published_at=x["publishedAt"], draft=x["isDraft"], prerelease=x["isPrerelease"],
                    author=build_person(None))  # fmt: skip

    def organization(self, owner: dict[str, Any]) -> dict[str, Any]:
        return build_component("organization-full", login=owner["login"], id=owner["databaseId"], name=owner["name"],
                    is_verified=owner["isVerified"], created_at=owner["createdAt"], type="Organization")  # fmt: skip
