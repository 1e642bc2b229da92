"""The fake behaves like GitHub: same schema, published costs of queries, usable by PyGithub."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from collecting import TOKEN, serve_fake
from fake_github import FakeGitHub, World
from fake_github.cost import compute_cost
from fake_github.graphql_api import CONTRACT
from fake_github.rest_api import get_schema
from graphql import build_schema, parse
from openapi_schema_validator import OAS30Validator

AUTH = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def world():
    world = World(seed=3)
    world.add("o/n", issues=40, pulls=25)
    world.add("o/empty", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    return world


@pytest.fixture
def client(world):
    fake = FakeGitHub(world)
    with serve_fake(fake) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        client.fake = fake
        yield client


def test_the_contract_files_have_their_hashes():
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


def test_costs_are_those_of_githubs_examples():
    schema = build_schema(SDL)
    assert compute_cost(schema, parse(NODES), {}).nodes == 22_060
    points_cost = compute_cost(schema, parse(POINTS), {})
    assert (points_cost.connections, points_cost.points) == (5_101, 51)


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
def test_rest_responses_match_githubs_openapi(client, world, path, template):
    repository = world.repositories["o/n"]
    issue = next(t["number"] for t in repository["issues"] if t["comments"])
    pull = next(t["number"] for t in repository["pullRequests"] if t["reviews"])
    response = client.get(path.format(issue=issue, pull=pull))
    assert response.status_code == 200 and response.json()
    validator = OAS30Validator(get_schema(template))
    assert [e.message for e in validator.iter_errors(response.json())] == []
    invalid_value = {"id": "no number"}
    assert not validator.is_valid(invalid_value) or not validator.is_valid([invalid_value])


def test_failures_are_those_of_github(client, world):
    world.blocked_names.add("dm/ca")
    world.forbidden_names.add("no/pe")
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


def test_graphql_errors_are_those_of_github(client):
    assert graphql(client, "{ rateLimit { cost } }", {}).status_code == 401
    selection = 'repository(owner: "o", name: "n")'
    message = graphql(client, f"{{ {selection} {{ nonsense }} }}").json()["errors"][0]["message"]
    assert "nonsense" in message
    for arguments, kind in (("", "MISSING_PAGINATION_BOUNDARIES"), ("(first: 101)", "EXCESSIVE_PAGINATION"),
                            ('(first: 5, after: "x")', "INVALID_CURSOR_ARGUMENTS")):  # fmt: skip
        response = graphql(
            client, f"{{ {selection} {{ issues{arguments} {{ nodes {{ number }} }} }} }}"
        ).json()
        assert response["errors"][0]["type"] == kind
    response = graphql(
        client, f'{{ a: {selection} {{ databaseId }} b: repository(owner: "x", name: "y") {{ databaseId }} }}'
    ).json()
    assert response["data"]["a"] and response["data"]["b"] is None
    assert (response["errors"][0]["type"], response["errors"][0]["path"]) == ("NOT_FOUND", ["b"])


def test_pygithub_can_use_it(world):
    import github

    world.rename("o/empty", "p/moved")
    fake = FakeGitHub(world)
    with serve_fake(fake) as url:
        client = github.Github(
            auth=github.Auth.Token(TOKEN), base_url=url, seconds_between_requests=0, retry=None
        )
        repository = client.get_repo("o/n")
        assert (repository.stargazers_count, repository.license.spdx_id) == (500, "Apache-2.0")
        assert client.get_repo("o/empty").full_name == "p/moved"
        assert len(list(repository.get_issues(state="all"))) == 65, "issues and change requests, three pages"
        assert {r.tag_name for r in repository.get_releases()} == {"v1.0.0", "v1.1.0", "v1.2.0"}
        with pytest.raises(github.UnknownObjectException):
            client.get_repo("nobody/nothing")
        _, response = client.requester.graphql_query("query { rateLimit { remaining } }", {})
        assert response["data"]["rateLimit"]["remaining"] < 5000
