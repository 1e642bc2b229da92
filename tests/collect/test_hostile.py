"""A host that means harm gets one clear message, leaves nothing wrong in the facts, and learns no more than it had."""

from __future__ import annotations

import copy
import json
import random
import re
import unicodedata

import pytest
from collecting import (
    TOKEN,
    advisor,
    as_expected,
    collect,
    environment,
    expected_threads,
    facts_of,
    served,
    threads_of,
)
from fake_github import FakeGitHub, World

from advisor.facts import reading

NASTY = [None, True, -1, 2**70, 1.5, "", "x" * 100_000, "](javascript:alert(1))", "<script>alert(1)</script>",
         "a\x00b\x1b]0;pwned\x07", "\u202egnp.exe", [], {}, [[]] * 50, {"a": {"b": [None]}}, "../../etc/passwd",
         "9999-99-99T99:99:99Z", "0001-01-01T00:00:00Z", "3026-01-01T00:00:00Z", "'; DROP TABLE rows; --"]  # fmt: skip


def places(value, at=()):
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*at, key))


def spoil(answer, rng):
    spoilt = copy.deepcopy(answer)
    at = rng.choice([p for p in places(spoilt["data"]) if p])
    inside = spoilt["data"]
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = rng.choice(NASTY)
    return spoilt


@pytest.mark.parametrize("seed", range(30))
def test_any_part_of_an_answer_may_be_anything(tmp_path, seed):
    world = World(seed=41)
    world.add("o/n", issues=8, pulls=6, discussions=2, releases=2, weeks=3)
    fake = FakeGitHub(world)
    rng, original = random.Random(seed), fake.graphql_side.run
    spoilt_until = rng.randrange(1, 4)

    def run(document, variables, rate):
        answer = original(document, variables, rate)
        return spoil(answer, rng) if fake.paid["graphql"] <= spoilt_until else answer

    fake.graphql_side.run = run
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    fake.graphql_side.run = original
    again, _ = collect(fake, tmp_path, ["o/n"])
    assert again.missing == []
    known = facts_of(tmp_path)
    rows = as_expected(threads_of(tmp_path, "o/n"))
    honest = expected_threads(world.repositories["o/n"])
    if outcome.missing:
        assert set(honest) <= set(rows), "what could not be read before is there now"
    for file, of_file in known.items():
        for row in of_file:
            for value in row.values():
                if isinstance(value, str):
                    assert len(value) <= 300, file
                    assert not [c for c in value if unicodedata.category(c)[0] == "C"], file


DEEP = b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
WHOLE = {
    "html": (200, b"<html><body>login</body></html>"), "empty": (200, b""), "deep": (200, DEEP),
    "list": (200, b"[1, 2]"), "null": (200, b"null"), "nan": (200, b'{"data": NaN}'), "no data": (200, b'{"data": 3}'),
    "errors": (200, b'{"data": null, "errors": "x"}'), "binary": (200, bytes(range(256))),
    "echo": (403, json.dumps({"message": f"the token {TOKEN} is wrong"}).encode()),
    "echo 401": (401, TOKEN.encode()), "teapot": (418, b"{}"),
    "strange limit": (403, b'{"message": "rate limit"}'),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_may_be_anything(tmp_path, name):
    world = World()
    world.add("o/n")
    fake = FakeGitHub(world)
    status, body = WHOLE[name]
    headers = {"retry_after": "99999999999999", "x_ratelimit_reset": "-5"} if name == "strange limit" else {}
    fake.answers["/graphql"] = (status, headers, body)
    import stamina

    with stamina.set_testing(True, attempts=2):
        outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert len(outcome.missing) == 1 and not outcome.done
    (missing,) = outcome.missing
    assert TOKEN not in missing.why and len(missing.why) < 1000
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("weeks", [
    "x", {}, [1], [{"week": 1}], [{"week": -1, "total": 0, "days": [0] * 7}], [{"week": 0, "total": 3, "days": [0] * 7}],
    [{"week": 0, "total": 7000, "days": [1000] * 7}], [{"week": 2**60, "total": 0, "days": [0] * 7}],
    [{"week": 0, "total": 0, "days": [0] * 6}],
])  # fmt: skip
def test_a_star_history_that_cannot_be_is_not_kept(tmp_path, weeks):
    world = World()
    world.add("o/n")
    fake = FakeGitHub(world)
    fake.answers["/repos/o/n/stargazers/history"] = (200, {}, weeks)
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert [m.part for m in outcome.missing] == ["star history"]
    assert "counts/o__n@github-stars.parquet" not in reading.open_store(tmp_path).manifest["files"]


def test_the_token_is_nowhere_afterwards(tmp_path):
    """Collect with everything that writes, from a host that echoes the token wherever it can."""
    from advisor.domain.domain import load_domain

    world = World(seed=43)
    for candidate in load_domain("finetuning").candidates:
        world.add(candidate.repository, issues=5, description=f"{TOKEN} ](javascript:alert(1)) <b>\x1b[31m")
        world.repositories[candidate.repository]["releases"][0]["tagName"] = f"v1 {TOKEN} ](javascript:x)"
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, "secondary_403"])
    fake.answers["/repos/huggingface/trl/stargazers/history"] = (400, {}, {"message": TOKEN})
    home, store = tmp_path / "home", tmp_path / "home" / "s"
    home.mkdir()
    with served(fake) as url:
        env = environment(url, home)
        done = advisor("collect", "--source", "github", "--store", str(store), "--json-log", str(home / "log"),
                       "--record", str(home / "recorded"), env=env)  # fmt: skip
        assert done.returncode in {0, 3}, done.stderr
        shown = [done.stdout, done.stderr]
        for style in ("table", "json", "markdown", "csv", "html"):
            done = advisor("rank", "--store", str(store), "--format", style, env=env)
            assert done.returncode == 0, done.stderr
            shown += [done.stdout, done.stderr]
    assert f"Bearer {TOKEN}" in fake.tokens, "it was sent"
    for text in shown:
        assert TOKEN not in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)
        assert "](javascript:" not in text
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) > 20
    assert [f for f in files if TOKEN.encode() in f.read_bytes()] == []
    rows = facts_of(store)
    assert all(
        "***" in r["description"]
        for f, of in rows.items()
        if f.startswith("repositories/") and "@" in f
        for r in of
    )


def test_a_replay_gives_the_same_facts_without_a_network(tmp_path):
    world = World(seed=44)
    world.add("o/n")
    with served(FakeGitHub(world)) as url:
        env = environment(url, tmp_path)
        args = ("collect", "o/n", "--source", "github", "--store")
        assert advisor(*args, str(tmp_path / "a"), "--record", str(tmp_path / "r"), env=env).returncode == 0
    done = advisor(*args, str(tmp_path / "b"), "--replay", str(tmp_path / "r"), env=env)
    assert done.returncode == 0, done.stderr
    assert facts_of(tmp_path / "a") == facts_of(tmp_path / "b")
