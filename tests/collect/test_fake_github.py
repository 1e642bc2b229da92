"""The fake is a GitHub: its contract is GitHub's own, its prices are the published ones, PyGithub can use it."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from collecting import TOKEN, served
from fake_github import FakeGitHub, World
from fake_github.cost import cost
from fake_github.graphql_side import CONTRACT
from fake_github.rest_side import schema_of
from graphql import build_schema, parse
from openapi_schema_validator import OAS30Validator

AUTH = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def world():
    made = World(seed=3)
    made.add("o/n", issues=40, pulls=25)
    made.add("o/empty", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    return made


@pytest.fixture
def client(world):
    fake = FakeGitHub(world)
    with served(fake) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        client.fake = fake
        yield client


def test_the_contract_is_what_was_cut_from_githubs_files():
    about = json.loads((CONTRACT / "about.json").read_text())
    assert set(about) == {"schema.graphql", "openapi.json"}
    for file, entry in about.items():
        assert hashlib.sha256((CONTRACT / file).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["version"] and len(entry["sha256_of_source"]) == 64


# docs.github.com, "Rate limits and query limits for the GraphQL API": 22,060 nodes; 5,101 requests, 51 points.
NODES = """query { viewer { repositories(first: 50) { edges { repository: node {
  pullRequests(first: 20) { edges { pullRequest: node { title comments(first: 10) { edges { comment: node { body }}}}}}
  issues(first: 20) { totalCount edges { issue: node { title comments(first: 10) { edges { comment: node { body }}}}}}
}}} followers(first: 10) { edges { follower: node { login }}}}}"""
POINTS = """query { viewer { repositories(first: 100) { edges { node { issues(first: 50) { edges { node {
  labels(first: 60) { edges { node { name }}}}}}}}}}}"""
SDL = """type Query { viewer: User } type User { login: String repositories(first: Int): RConnection followers(first: Int): FConnection }
type RConnection { edges: [RE] } type RE { node: R } type R { pullRequests(first: Int): PConnection issues(first: Int): IConnection }
type PConnection { edges: [PE] } type PE { node: P } type P { title: String comments(first: Int): CConnection }
type IConnection { totalCount: Int edges: [IE] } type IE { node: I } type I { title: String comments(first: Int): CConnection labels(first: Int): LConnection }
type CConnection { edges: [CE] } type CE { node: C } type C { body: String } type LConnection { edges: [LE] } type LE { node: L } type L { name: String }
type FConnection { edges: [FE] } type FE { node: User }"""


def test_prices_are_those_of_githubs_examples():
    schema = build_schema(SDL)
    assert cost(schema, parse(NODES), {}).nodes == 22_060
    found = cost(schema, parse(POINTS), {})
    assert (found.connections, found.points) == (5_101, 51)


@pytest.mark.parametrize(("path", "template"), [
    ("/repos/o/n", "/repos/{owner}/{repo}"), ("/repos/o/empty", "/repos/{owner}/{repo}"),
    ("/repos/o/n/issues?state=all&per_page=100", "/repos/{owner}/{repo}/issues"),
    ("/repos/o/n/pulls?state=all", "/repos/{owner}/{repo}/pulls"),
    ("/repos/o/n/pulls/{pull}", "/repos/{owner}/{repo}/pulls/{pull_number}"),
    ("/repos/o/n/issues/{issue}", "/repos/{owner}/{repo}/issues/{issue_number}"),
    ("/repos/o/n/issues/{issue}/comments", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("/repos/o/n/pulls/{pull}/reviews", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"),
    ("/repos/o/n/releases", "/repos/{owner}/{repo}/releases"), ("/orgs/o", "/orgs/{org}"),
    ("/repos/o/n/stargazers/count", "/repos/{owner}/{repo}/stargazers/count"),
])  # fmt: skip
def test_rest_answers_are_as_githubs_openapi_says(client, world, path, template):
    found = world.repositories["o/n"]
    issue = next(t["number"] for t in found["issues"] if t["comments"])
    pull = next(t["number"] for t in found["pullRequests"] if t["reviews"])
    answer = client.get(path.format(issue=issue, pull=pull))
    assert answer.status_code == 200 and answer.json()
    validator = OAS30Validator(schema_of(template))
    assert [e.message for e in validator.iter_errors(answer.json())] == []
    broken = {"id": "no number"}
    assert not validator.is_valid(broken) or not validator.is_valid([broken])


def test_it_fails_in_githubs_manners(client, world):
    world.blocked.add("dm/ca")
    world.forbidden.add("no/pe")
    world.rename("o/empty", "p/moved")
    statuses = {p: client.get(f"/repos/{p}", follow_redirects=False).status_code
                for p in ("o/n", "dm/ca", "no/pe", "nobody/nothing", "o/empty")}  # fmt: skip
    assert statuses == {"o/n": 200, "dm/ca": 451, "no/pe": 403, "nobody/nothing": 404, "o/empty": 301}
    assert client.get("/repos/o/empty").json()["full_name"] == "p/moved"
    first = client.get("/repos/o/n")
    used = client.fake.used["core"]
    again = client.get("/repos/o/n", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, client.fake.used["core"]) == (304, used)
    assert client.get("/repos/o/n/stargazers").status_code == 404
    assert 'rel="next"' in client.get("/repos/o/n/issues?per_page=10").headers["link"]


def graphql(client, query, headers=AUTH):
    return client.post("/graphql", json={"query": query}, headers=headers)


def test_graphql_refuses_what_github_refuses(client):
    assert graphql(client, "{ rateLimit { cost } }", {}).status_code == 401
    at = 'repository(owner: "o", name: "n")'
    said = graphql(client, f"{{ {at} {{ nonsense }} }}").json()["errors"][0]["message"]
    assert "nonsense" in said
    for arguments, kind in (("", "MISSING_PAGINATION_BOUNDARIES"), ("(first: 101)", "EXCESSIVE_PAGINATION"),
                            ('(first: 5, after: "x")', "INVALID_CURSOR_ARGUMENTS")):  # fmt: skip
        found = graphql(client, f"{{ {at} {{ issues{arguments} {{ nodes {{ number }} }} }} }}").json()
        assert found["errors"][0]["type"] == kind
    mixed = graphql(
        client, f'{{ a: {at} {{ databaseId }} b: repository(owner: "x", name: "y") {{ databaseId }} }}'
    ).json()
    assert mixed["data"]["a"] and mixed["data"]["b"] is None
    assert (mixed["errors"][0]["type"], mixed["errors"][0]["path"]) == ("NOT_FOUND", ["b"])


def test_pygithub_finds_a_github(world):
    import github

    world.rename("o/empty", "p/moved")
    fake = FakeGitHub(world)
    with served(fake) as url:
        hub = github.Github(
            auth=github.Auth.Token(TOKEN), base_url=url, seconds_between_requests=0, retry=None
        )
        found = hub.get_repo("o/n")
        assert (found.stargazers_count, found.license.spdx_id) == (500, "Apache-2.0")
        assert hub.get_repo("o/empty").full_name == "p/moved"
        assert len(list(found.get_issues(state="all"))) == 65, "issues and change requests, three pages"
        assert {r.tag_name for r in found.get_releases()} == {"v1.0.0", "v1.1.0", "v1.2.0"}
        with pytest.raises(github.UnknownObjectException):
            hub.get_repo("nobody/nothing")
        _, answer = hub.requester.graphql_query("query { rateLimit { remaining } }", {})
        assert answer["data"]["rateLimit"]["remaining"] < 5000
