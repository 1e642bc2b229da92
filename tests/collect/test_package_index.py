"""Find the repository of a package on PyPI, npm and deps.dev; then run `advisor collect --from` as a user."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest
from collecting import QUICK, build_environment, run, run_advisor
from typer.testing import CliRunner

from advisor.answers.dependencies import files
from advisor.answers.dependencies.health import open_stores, rank_dependencies
from advisor.answers.question import Request
from advisor.cli import app, load
from advisor.collect import package_index
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import CollectionOutcome
from advisor.collect.package_index import Package
from advisor.facts import reading, writing
from advisor.facts.store import Store
from advisor.report.dependencies.rows import risks

load(None)

DAY = date(2026, 11, 24)
PYPI = "https://pypi.org/pypi/{}/json"
NPM = "https://registry.npmjs.org/{}/latest"
DEPS = "https://api.deps.dev/v3/systems/{}"
ANSWERS = {
    PYPI.format("flask"): {"info": {"home_page": None, "project_urls": {
        "Source": "https://github.com/pallets/flask/", "Donate": "https://github.com/sponsors/pallets"}}},
    PYPI.format("old"): {"info": {"home_page": "http://www.github.com/o/old.git", "project_urls": None}},
    PYPI.format("two"): {"info": {"project_urls": {"source": "https://github.com/a/x", "Source": "https://github.com/b/x"}}},
    PYPI.format("elsewhere"): {"info": {"project_urls": {"Source": "https://gitlab.com/a/b"}}},
    PYPI.format("proven"): {"info": {"version": "3", "project_urls": {"Source": "https://github.com/huggingface/trl"}}},
    DEPS.format("pypi/packages/proven/versions/3"): {"relatedProjects": [
        {"projectKey": {"id": "github.com/huggingface/trl"}, "relationType": "SOURCE_REPO",
         "relationProvenance": "UNVERIFIED_METADATA"},
        {"projectKey": {"id": "github.com/other/issues"}, "relationType": "ISSUE_TRACKER",
         "relationProvenance": "PYPI_PUBLISH_ATTESTATION"},
        {"projectKey": {"id": "github.com/o/proven"}, "relationType": "SOURCE_REPO",
         "relationProvenance": "PYPI_PUBLISH_ATTESTATION"}]},
    PYPI.format("broken"): {"info": {"project_urls": 3}},
    NPM.format("react"): {"repository": {"type": "git", "url": "git+https://github.com/facebook/react.git"}},
    NPM.format("%40scope%2Fpkg"): {"repository": "github:scope/pkg", "homepage": 7},
    NPM.format("bare"): {},
    DEPS.format("npm/packages/bare"): {"versions": []},
    DEPS.format("pypi/packages/elsewhere"): {"versions": [{"versionKey": {"version": "2"}, "isDefault": True}]},
    DEPS.format("pypi/packages/elsewhere/versions/2"): {"links": [{"label": "SOURCE_REPO", "url": "https://gitlab.com/a/b"}]},
    DEPS.format("pypi/packages/two"): {"versions": [{"versionKey": {"version": "1"}, "isDefault": True}]},
    DEPS.format("pypi/packages/two/versions/1"): {"links": [{"label": "SOURCE_REPO", "url": "https://github.com/b/x"}]},
    DEPS.format("cargo/packages/flask"): {"versions": [{"versionKey": {"version": "1"}, "isDefault": True}]},
    DEPS.format("cargo/packages/flask/versions/1"): {"links": [{"label": "SOURCE_REPO", "url": "https://github.com/pallets/flask"}]},
    DEPS.format("cargo/packages/serde"): {"versions": [{"versionKey": {"version": "1"}, "isDefault": True}]},
    DEPS.format("cargo/packages/serde/versions/1"): {"links": [{"label": "SOURCE_REPO", "url": "https://github.com/serde-rs/serde"}]},
}  # fmt: skip


def answer(request: httpx.Request) -> httpx.Response:
    body = ANSWERS.get(str(request.url))
    return httpx.Response(200, json=body) if body is not None else httpx.Response(404, json={})


def ask(store, *packages, record=None):
    outcome = CollectionOutcome()

    async def go():
        wire = httpx.MockTransport(answer)
        async with Transport(
            dict.fromkeys(package_index.list_origins()), patience=QUICK, wire=wire
        ) as transport:
            return await package_index.find_repositories(
                packages, transport, store, DAY, lambda *_: None, outcome, record
            )

    return run(go()), outcome


@pytest.mark.parametrize(
    ("package", "repository", "source"),
    [
        (Package("pypi", "flask"), "pallets/flask", "pypi"),
        (Package("pypi", "old"), "o/old", "pypi"),
        (Package("pypi", "two"), "b/x", "depsdev"),
        (Package("npm", "react"), "facebook/react", "npm"),
        (Package("npm", "@scope/pkg"), "scope/pkg", "npm"),
        (Package("cargo", "serde"), "serde-rs/serde", "depsdev"),
        (Package("pypi", "proven"), "o/proven", "attestation"),
    ],
)
def test_link_of_an_index_becomes_a_fact(tmp_path, package, repository, source):
    repositories, outcome = ask(tmp_path, package)
    assert repositories == {package: repository} and not outcome.missing
    # a store with only this table has no first day yet, but it has the rows
    name = f"packages/{repository.replace('/', '__')}@index.parquet"
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert list(manifest["files"]) == [name]
    (row,) = reading.read_rows(Store(tmp_path, manifest), "packages", repository, "index")
    assert (row["ecosystem"], row["package"], row["source"], row["retrieved_at"]) == (*package, source, DAY)


@pytest.mark.parametrize("package", [
    Package("pypi", "elsewhere"), Package("pypi", "nobody"), Package("pypi", "broken"), Package("npm", "bare"),
    Package("conda", "flask"), Package("cran", "dplyr"),
])  # fmt: skip
def test_package_without_repository_is_missing_with_a_reason(tmp_path, package):
    repositories, outcome = ask(tmp_path, package)
    assert not repositories
    (missing,) = outcome.missing
    assert missing.repository == package.name and missing.reason
    assert missing.is_final is (package.name != "broken")


def test_two_packages_of_one_repository_are_two_rows(tmp_path):
    ask(tmp_path, Package("pypi", "flask"), Package("cargo", "flask"))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    rows = reading.read_rows(Store(tmp_path, manifest), "packages", "pallets/flask", "index")
    assert {r["ecosystem"] for r in rows} == {"pypi", "cargo"}


YARN_LOCK = """# yarn lockfile v1

request@^2.88.0:
  version "2.88.2"
  resolved "https://registry.yarnpkg.com/request/-/request-2.88.2.tgz#1"

react@^18.0.0:
  version "18.2.0"
  resolved "https://registry.yarnpkg.com/react/-/react-18.2.0.tgz#2"

acme@^1.0.0:
  version "1.0.0"
  resolved "https://npm.corp.example/acme/-/acme-1.0.0.tgz#3"
"""
LOCK_WITH_DEPRECATIONS = {"packages": {
    "": {"dependencies": {"react": "18"}}, "node_modules/react": {"version": "18.2.0", "deprecated": "by the lock"},
}}  # fmt: skip
GONE = "request has been deprecated, see\n https://github.com/request/request/issues/3142"


@pytest.fixture
def npm(monkeypatch):
    """Answer as npm's registry; return the paths that it was asked for."""
    paths: list[str] = []
    pages = {
        "/request/2.88.2": {"version": "2.88.2", "deprecated": GONE},
        "/request/latest": {"version": "2.88.2", "deprecated": GONE},
        "/react/18.2.0": {"version": "18.2.0"}, "/react/latest": {"version": "19.0.0", "deprecated": ""},
        "/mkdirp/0.5.1": {"version": "0.5.1", "deprecated": True}, "/mkdirp/latest": {"version": "3.0.0"},
        "/chalk/latest": {"version": "5.0.0", "deprecated": {"no": "text"}},
    }  # fmt: skip

    async def respond(_self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "registry.npmjs.org", request.url
        paths.append(request.url.path)
        body = pages.get(request.url.path)
        return httpx.Response(200 if body else 404, json=body or {}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", respond)
    return paths


def collect_npm(folder, *names, more=()):
    """Collect the packages of files into a store that knows their repositories."""
    rows = [{"repository": "o/lib", "ecosystem": "npm", "package": name, "source": "npm", "retrieved_at": "2026-01-02"}
            for name in ("request", "react", "mkdirp", "chalk", "acme")]  # fmt: skip
    store = folder / "store"
    writing.write_rows(store, "packages", "o/lib", rows)
    about = {"repository": "o/lib", "source": "x", "retrieved_at": "2026-01-02"}
    writing.write_rows(
        store, "counts", "o/lib", [{**about, "day": "2026-01-01", "metric": "stars", "value": 5}]
    )
    options = [word for name in names for word in ("--from", str(folder / name))]
    command = ["collect", *options, "--source", "pypi", "--store", str(store), "--max-wait", "0", *more]
    with ThreadPoolExecutor(1) as pool:  # playwright's fixture has a running event loop in this thread
        result = pool.submit(CliRunner().invoke, app, command).result()
    return result, store


def warnings_of(folder, store, name):
    packages = files.read_dependencies([folder / name])
    answer = rank_dependencies(packages, open_stores([store]), Request(), [name])
    return {
        h.dependency.name: h.details.deprecation and risks(h)[-1] for h in (*answer.known, *answer.unknown)
    }


def test_npm_says_which_versions_of_a_yarn_lock_are_deprecated(tmp_path, npm):
    (tmp_path / "yarn.lock").write_text(YARN_LOCK)
    plan, _ = collect_npm(tmp_path, "yarn.lock", more=("--dry-run",))
    assert "request: asks npm about its version: its repository is o/lib" in plan.stdout and npm == []
    result, store = collect_npm(tmp_path, "yarn.lock")
    assert npm == ["/request/2.88.2", "/react/18.2.0"], result.output
    expected = "version 2.88.2 is deprecated: " + " ".join(GONE.split())
    assert warnings_of(tmp_path, store, "yarn.lock") == {"request": expected, "react": "", "acme": ""}
    collect_npm(tmp_path, "yarn.lock")
    assert len(npm) == 2, "the answers of this day stay"


def test_without_a_version_npm_is_asked_about_the_newest(tmp_path, npm):
    wishes = {"request": "^2.88.0", "react": "^18", "mkdirp": "0.5.1", "chalk": "*"}
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": wishes}))
    _, store = collect_npm(tmp_path, "package.json")
    assert npm == ["/request/latest", "/react/latest", "/mkdirp/0.5.1", "/chalk/latest"]
    assert warnings_of(tmp_path, store, "package.json") == {
        "request": "its newest version is deprecated: " + " ".join(GONE.split()), "react": "", "chalk": "",
        "mkdirp": "version 0.5.1 is deprecated: without a reason",
    }  # fmt: skip


@pytest.mark.parametrize("more", [("--ask", "pypi"), ("--ask", "none"), ("--exclude", "react")])
def test_npm_is_not_asked_about_versions_if_it_may_not_be_asked(tmp_path, npm, more):
    (tmp_path / "package.json").write_text('{"dependencies": {"react": "18.2.0"}}')
    collect_npm(tmp_path, "package.json", more=more)
    assert npm == []


def test_a_lock_that_says_it_is_not_asked_about_and_not_hidden_by_the_manifest(tmp_path, npm):
    """npm records in its own lock which versions are deprecated; package.json beside it comes first."""
    (tmp_path / "package-lock.json").write_text(json.dumps(LOCK_WITH_DEPRECATIONS))
    (tmp_path / "package.json").write_text('{"dependencies": {"react": "18"}}')
    _, store = collect_npm(tmp_path, "package.json", "package-lock.json")
    assert npm == []
    assert warnings_of(tmp_path, store, ".") == {"react": "version 18.2.0 is deprecated: by the lock"}


def test_collect_from_a_file_then_rank_from_it(tmp_path):
    """A recording replaces the network: the same responses, as `collect --record` writes them."""
    record = tmp_path / "answers.jsonl"
    ask(tmp_path / "elsewhere", Package("pypi", "old"), Package("pypi", "nobody"), record=record)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("old\nnobody\nflask\n./local\n")
    env = build_environment("http://127.0.0.1:9", tmp_path)
    store = tmp_path / "store"
    result = run_advisor("collect", "--from", str(requirements), "--source", "pypi", "--replay", str(record), "--store", str(store),
                   "--json-log", str(tmp_path / "log"), env=env)  # fmt: skip
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert result.returncode in {1, 3}, result.stderr  # the recording has no page of a package
    assert "nobody: repository: PyPI does not know it" in result.stderr
    assert [t["repository"] for t in events if t["what"] == "package"] == [
        "o/old"
    ]  # flask is in the bundled table
    assert [t["repository"] for t in events if t["what"] == "none" and t["part"] == "repository"] == [
        "nobody",
        "local",
    ]
    manifest = json.loads((store / "manifest.json").read_text())
    assert "packages/o__old@index.parquet" in manifest["files"]


def test_files_exclude_names():
    result = CliRunner().invoke(app, ["collect", "a/b", "--from", "x.txt"])
    assert "not both" in str(result.exception)
