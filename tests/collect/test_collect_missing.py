"""`advisor rank NAME… --collect` and `advisor compare A B --collect` collect what no store has, then answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace

import httpx
import pytest
from collecting import TOKEN, build_environment, serve_fake
from fake_github import FakeGitHub, World
from repositories import Repo
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.git import clone
from advisor.collect.sources import scorecard
from advisor.errors import AdvisorError
from advisor.facts import reading

load(None)


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user without a token and without facts; names on GitHub are repositories in a folder."""
    for variable in ("GH_TOKEN", "GITHUB_TOKEN", "GH_TOKENS", "GITHUB_API_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(clone, "_build_github_url", lambda name: (tmp_path / "github" / name).as_uri())

    def publish(name):
        (tmp_path / "github" / name).parent.mkdir(parents=True, exist_ok=True)
        repo = Repo(tmp_path / "github" / name)
        for day in ("2025-11-03", "2026-03-02", "2026-09-01"):
            repo.commit("a.py", day=day)

    def run(*words):
        # Not in this thread: in the tests of one process, a browser may run an event loop in it.
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(CliRunner().invoke, app, list(words)).result()
        if isinstance(result.exception, AdvisorError):
            return SimpleNamespace(code=result.exception.exit_code, out=result.stdout,
                                   err=f"{result.stderr}{result.exception}")  # fmt: skip
        return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)

    def collected():
        return reading.open_store(tmp_path / "data" / "advisor" / "facts").repositories()

    return SimpleNamespace(run=run, publish=publish, collected=collected, home=tmp_path)


def measurements_of(text, repository):
    (entry,) = (r for r in json.loads(text)["ranking"] if r["candidate"]["repository"] == repository)
    return {m["metric"]: m for m in entry["measurements"]}


def days_since_commit(result):
    return (date.fromisoformat(json.loads(result.out)["as_of"]) - date(2026, 9, 1)).days


def test_rank_collects_only_what_is_missing_and_then_ranks_it(user):
    user.publish("ann/new-one")
    user.publish("ann/other")
    words = ("rank", "ann/new-one", "https://github.com/ann/other", "flask", "--collect", "--format", "json")
    result = user.run(*words)
    assert result.code == 0, result.err
    assert user.collected() == ["ann/new-one", "ann/other"], "flask is in the bundled facts"
    assert "no token for GitHub: only git histories are collected" in result.err
    assert "ann/new-one: 3 commits" in result.err
    ranking = {r["candidate"]["repository"]: r for r in json.loads(result.out)["ranking"]}
    assert set(ranking) == {"ann/new-one", "ann/other", "pallets/flask"}
    assert measurements_of(result.out, "ann/new-one")["days_since_last_commit"]["value"] == days_since_commit(
        result
    )

    again = user.run(*words)
    assert again.code == 0 and again.err == "", "nothing is missing now, so nothing is collected"
    assert json.loads(again.out)["ranking"] == json.loads(result.out)["ranking"]


def test_compare_collects_and_then_compares(user):
    user.publish("ann/new-one")
    assert user.run("compare", "ann/new-one", "flask").code != 0, "without --collect nobody knows it"
    result = user.run("compare", "ann/new-one", "flask", "--collect")
    assert result.code == 0, result.err
    assert "new-one" in result.out and user.collected() == ["ann/new-one"]


def test_a_library_that_public_lists_have_is_collected_all_the_same(user):
    user.publish("encode/httpx")
    result = user.run("rank", "httpx", "flask", "--collect", "--store", str(user.home / "store"))
    assert "pallets/flask: git: " in result.err, "the store that you name counts, without the bundled facts"
    assert result.code == 3, "it cannot be collected, so the answer is partial"
    assert reading.open_store(user.home / "store").repositories() == ["encode/httpx"]


def test_a_library_that_does_not_exist_is_named_before_the_answer(user):
    result = user.run("rank", "no/body", "flask", "--collect")
    assert result.code == 3 and "no/body" in result.err and "flask" in result.out
    result = user.run("rank", "no/body", "--collect")
    assert result.code == 2 and "no facts about no/body" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rank", "--all"), "--all means nothing with --collect"),
        (("rank", "--from", "x.txt"), "--from means nothing with --collect"),
        (("rank", "--category", "testing"), "--category means nothing with --collect"),
        (("rank", "flask", "--replay", "view.json"), "--replay means nothing with --collect"),
        (("rank", "flask", "--store", "bundled"), "leave out --store bundled"),
        (("compare", "flask", "no/body", "--store", "bundled"), "leave out --store bundled"),
        (("rank",), "--collect needs names of libraries"),
    ],
)
def test_collect_is_refused_where_it_means_nothing(user, words, message):
    result = user.run(*words, "--collect")
    assert result.code == 2 and message in result.err
    assert not (user.home / "data").exists()


@pytest.fixture
def index(monkeypatch):
    """PyPI and npm's registry know `zzz-new`; list the addresses that are asked."""
    addresses = []

    async def answer(_self, request):
        addresses.append(str(request.url))
        links = {"info": {"project_urls": {"Source": "https://github.com/ann/new-one"}}}
        page = {"pypi.org": links, "registry.npmjs.org": {"repository": "github:ann/other"}}.get(
            request.url.host
        )
        if page is None or "zzz-new" not in str(request.url):
            return httpx.Response(404, json={}, request=request)
        return httpx.Response(200, json=page, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "UV_", "NPM_")):
            monkeypatch.delenv(name)
    return addresses


@pytest.mark.parametrize("words", [
    ("rank", "zzz-new", "flask"), ("compare", "ZZZ_new", "flask"), ("explain", "zzz-new"),
    ("dashboard", "zzz-new", "flask", "--months", "0", "-o", "page.html"),
])  # fmt: skip
def test_a_name_that_nothing_here_knows_is_looked_up_in_its_index(user, index, monkeypatch, words):
    monkeypatch.chdir(user.home)
    user.publish("ann/new-one")
    result = user.run(*words, "--collect")
    assert result.code == 0, result.err
    assert index[0] == "https://pypi.org/pypi/zzz-new/json" and user.collected() == ["ann/new-one"]
    del index[:]
    assert user.run(*words, "--collect").code == 0 and index == [], "the store knows it now"


def test_a_name_of_npm_is_looked_up_in_its_registry(user, index):
    user.publish("ann/other")
    result = user.run("rank", "npm:zzz-new", "flask", "--collect")
    assert result.code == 0, result.err
    assert index[0] == "https://registry.npmjs.org/zzz-new/latest" and user.collected() == ["ann/other"]


def test_a_name_that_no_index_knows_is_an_error(user, index):
    result = user.run("rank", "no-such-package-anywhere", "--collect")
    assert result.code == 2 and "unknown library 'no-such-package-anywhere'" in result.err
    assert index == ["https://pypi.org/pypi/no-such-package-anywhere/json"]


@pytest.mark.parametrize(("name", "content"), [
    ("config/pip/pip.conf", "[global]\nindex-url = https://pypi.corp.example/simple\n"),
    ("uv.toml", '[[index]]\nurl = "https://pypi.corp.example/simple"\n'),
])  # fmt: skip
def test_a_name_stays_at_home_if_a_private_index_may_have_it(user, index, monkeypatch, name, content):
    monkeypatch.chdir(user.home)
    (user.home / name).parent.mkdir(parents=True, exist_ok=True)
    (user.home / name).write_text(content)
    result = user.run("rank", "zzz-new", "flask", "--collect")
    assert result.code == 2 and index == []
    assert "no index is asked about zzz-new: it may come from pypi.corp.example" in result.err


def test_with_a_token_github_is_asked_too(user, monkeypatch):
    user.publish("o/n")
    world = World(seed=5)
    world.add("o/n", issues=40, pulls=20)
    with serve_fake(FakeGitHub(world)) as url:
        for variable, value in (("API_URL", url), ("GRAPHQL_URL", f"{url}/graphql"), ("TOKEN", TOKEN),
                                ("SERVER_URL", "https://github.com")):  # fmt: skip
            monkeypatch.setenv(f"GITHUB_{variable}", value)
        monkeypatch.setattr(scorecard, "HOST", url)  # it knows no scorecard
        result = user.run("rank", "o/n", "flask", "--collect", "--format", "json")
    assert result.code == 0, result.err
    assert "1 repositories collected: " in result.err and "o/n: 3 commits" in result.err
    assert TOKEN not in result.err + result.out
    measurements = measurements_of(result.out, "o/n")
    assert measurements["stars"]["sources"] == ["github:graphql"]
    assert measurements["days_since_last_commit"]["value"] == days_since_commit(result)


@pytest.mark.parametrize("words", [["rank", "httpx", "requests"], ["compare", "httpx", "requests"]])
def test_no_code_for_the_network_is_loaded_without_the_option(words, tmp_path):
    code = (
        "import sys; from advisor.cli import main\n"
        f"sys.argv = ['advisor', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('httpx', 'stamina') or m.startswith('advisor.collect')])"
    )
    env = build_environment("http://127.0.0.1:9", tmp_path)
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert result.stdout.endswith("\n[]\n"), result.stdout[-300:] + result.stderr
