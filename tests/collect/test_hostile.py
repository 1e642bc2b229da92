"""Responses from a hostile host: one clear message, no wrong facts, and no leaked token."""

from __future__ import annotations

import copy
import json
import random
import re
import unicodedata

import pytest
from collecting import (
    TOKEN,
    build_environment,
    collect,
    list_expected_threads,
    read_all_facts,
    read_threads,
    run_advisor,
    serve_fake,
    to_expected_form,
)
from fake_github import FakeGitHub, World

from advisor.facts import reading

NASTY = [None, True, -1, 2**70, 1.5, "", "x" * 100_000, "](javascript:alert(1))", "<script>alert(1)</script>",
         "a\x00b\x1b]0;pwned\x07", "\u202egnp.exe", [], {}, [[]] * 50, {"a": {"b": [None]}}, "../../etc/passwd",
         "9999-99-99T99:99:99Z", "0001-01-01T00:00:00Z", "3026-01-01T00:00:00Z", "'; DROP TABLE rows; --"]  # fmt: skip


def iterate_paths(value, path=()):
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from iterate_paths(child, (*path, key))


def replace_one_value(response, rng):
    """Replace a random value of a response by a nasty one."""
    copied_response = copy.deepcopy(response)
    path = rng.choice([p for p in iterate_paths(copied_response["data"]) if p])
    parent = copied_response["data"]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = rng.choice(NASTY)
    return copied_response


@pytest.mark.parametrize("seed", range(30))
def test_any_part_of_a_response_may_have_any_value(tmp_path, seed):
    world = World(seed=41)
    world.add("o/n", issues=8, pulls=6, discussions=2, releases=2, weeks=3)
    fake = FakeGitHub(world)
    rng, original = random.Random(seed), fake.graphql_api.run
    hostile_requests = rng.randrange(1, 4)

    def run(document, variables, rate):
        response = original(document, variables, rate)
        return replace_one_value(response, rng) if fake.charges["graphql"] <= hostile_requests else response

    fake.graphql_api.run = run
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    fake.graphql_api.run = original
    second_outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert second_outcome.missing == []
    facts = read_all_facts(tmp_path)
    rows = to_expected_form(read_threads(tmp_path, "o/n"))
    expected = list_expected_threads(world.repositories["o/n"])
    if outcome.missing:
        assert set(expected) <= set(rows), "the second run reads what the first could not"
    for file, file_rows in facts.items():
        for row in file_rows:
            for value in row.values():
                if isinstance(value, str):
                    assert len(value) <= 300, file
                    assert not [c for c in value if unicodedata.category(c)[0] == "C"], file


DEEP = b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
RESPONSES = {
    "html": (200, b"<html><body>login</body></html>"), "empty": (200, b""), "deep": (200, DEEP),
    "list": (200, b"[1, 2]"), "null": (200, b"null"), "nan": (200, b'{"data": NaN}'), "no data": (200, b'{"data": 3}'),
    "errors": (200, b'{"data": null, "errors": "x"}'), "binary": (200, bytes(range(256))),
    "echo": (403, json.dumps({"message": f"the token {TOKEN} is wrong"}).encode()),
    "echo 401": (401, TOKEN.encode()), "teapot": (418, b"{}"),
    "strange limit": (403, b'{"message": "rate limit"}'),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_may_be_anything(tmp_path, name):
    world = World()
    world.add("o/n")
    fake = FakeGitHub(world)
    status, body = RESPONSES[name]
    headers = {"retry_after": "99999999999999", "x_ratelimit_reset": "-5"} if name == "strange limit" else {}
    fake.responses["/graphql"] = (status, headers, body)
    import stamina

    with stamina.set_testing(True, attempts=2):
        outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert len(outcome.missing) == 1 and not outcome.repositories
    (missing,) = outcome.missing
    assert TOKEN not in missing.reason and len(missing.reason) < 1000
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("weeks", [
    "x", {}, [1], [{"week": 1}], [{"week": -1, "total": 0, "days": [0] * 7}], [{"week": 0, "total": 3, "days": [0] * 7}],
    [{"week": 0, "total": 7000, "days": [1000] * 7}], [{"week": 2**60, "total": 0, "days": [0] * 7}],
    [{"week": 0, "total": 0, "days": [0] * 6}],
])  # fmt: skip
def test_an_impossible_star_history_is_not_stored(tmp_path, weeks):
    world = World()
    world.add("o/n")
    fake = FakeGitHub(world)
    fake.responses["/repos/o/n/stargazers/history"] = (200, {}, weeks)
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert [m.part for m in outcome.missing] == ["star history"]
    assert "counts/o__n@github-stars.parquet" not in reading.open_store(tmp_path).manifest["files"]


def test_no_output_and_no_file_holds_the_token(tmp_path):
    """Collect with every kind of output from a host that echoes the token."""
    from advisor.domain.domain import load_domain

    world = World(seed=43)
    for candidate in load_domain("finetuning").candidates:
        world.add(candidate.repository, issues=5, description=f"{TOKEN} ](javascript:alert(1)) <b>\x1b[31m")
        world.repositories[candidate.repository]["releases"][0]["tagName"] = f"v1 {TOKEN} ](javascript:x)"
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, "secondary_403"])
    fake.responses["/repos/huggingface/trl/stargazers/history"] = (400, {}, {"message": TOKEN})
    home, store = tmp_path / "home", tmp_path / "home" / "s"
    home.mkdir()
    with serve_fake(fake) as url:
        env = build_environment(url, home)
        process = run_advisor("collect", "--source", "github", "--store", str(store), "--json-log", str(home / "log"),
                       "--record", str(home / "recorded"), env=env)  # fmt: skip
        assert process.returncode in {0, 3}, process.stderr
        outputs = [process.stdout, process.stderr]
        for style in ("table", "json", "markdown", "csv", "html"):
            process = run_advisor("rank", "--store", str(store), "--format", style, env=env)
            assert process.returncode == 0, process.stderr
            outputs += [process.stdout, process.stderr]
    assert f"Bearer {TOKEN}" in fake.tokens, "the token was sent"
    for text in outputs:
        assert TOKEN not in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)
        assert "](javascript:" not in text
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) > 20
    assert [f for f in files if TOKEN.encode() in f.read_bytes()] == []
    rows = read_all_facts(store)
    assert all(
        "***" in r["description"]
        for f, file_rows in rows.items()
        if f.startswith("repositories/") and "@" in f
        for r in file_rows
    )


def test_a_replay_gives_the_same_facts_without_a_network(tmp_path):
    world = World(seed=44)
    world.add("o/n")
    with serve_fake(FakeGitHub(world)) as url:
        env = build_environment(url, tmp_path)
        args = ("collect", "o/n", "--source", "github", "--store")
        assert (
            run_advisor(*args, str(tmp_path / "a"), "--record", str(tmp_path / "r"), env=env).returncode == 0
        )
    process = run_advisor(*args, str(tmp_path / "b"), "--replay", str(tmp_path / "r"), env=env)
    assert process.returncode == 0, process.stderr
    assert read_all_facts(tmp_path / "a") == read_all_facts(tmp_path / "b")
