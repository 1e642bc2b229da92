"""Queries that GitHub refuses, throttles or cannot finish."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import pytest
from collecting import (
    TODAY,
    TOKEN,
    collect,
    list_expected_threads,
    read_all_facts,
    read_threads,
    to_expected_form,
)
from fake_github import FakeGitHub, World

from advisor.collect.github import protocol
from advisor.collect.github.state_place import state_file
from advisor.collect.http.messages import HttpResponse, RetryableError
from advisor.collect.http.transport import TRIES
from advisor.errors import Refused, Unsound


@pytest.fixture
def world():
    return World(seed=5)


def test_a_query_that_is_too_heavy_is_halved(world, tmp_path):
    world.add("o/n", issues=300, pulls=100)
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, "gateway_timeout", "resource_limits", "bad_gateway"])
    outcome, events = collect(fake, tmp_path, ["o/n"])
    assert [n["size"] for kind, n in events if kind == "smaller"] == [72, 36, 18]
    assert outcome.missing == []
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(world.repositories["o/n"])


def test_an_overview_query_is_halved(world, tmp_path):
    names = [f"o/r{i}" for i in range(20)]
    for name in names:
        world.add(name, issues=0, pulls=0, discussions=0, releases=0, weeks=0)
    fake = FakeGitHub(world)
    fake.faults.queue.extend(["bad_gateway", "resource_limits", "partial"])
    outcome, events = collect(fake, tmp_path, names)
    assert [n["size"] for kind, n in events if kind == "smaller"] == [10, 5]
    assert outcome.repositories == set(names)


def test_a_cursor_that_github_no_longer_accepts(world, tmp_path):
    world.add("o/n", issues=200, pulls=10)
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, None, *["cut_connection"] * TRIES])
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing
    import sqlite3

    with sqlite3.connect(state_file(tmp_path)) as db:
        assert db.execute("UPDATE progress SET cursor = 'gone' WHERE cursor IS NOT NULL").rowcount
    db.close()
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing == []
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(world.repositories["o/n"])


def test_waits_for_rate_limits_are_limited(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world, retry_after=3)
    fake.resets_at = TODAY + timedelta(hours=1)
    fake.faults.queue.extend(["secondary_403", "secondary_429"])
    import stamina
    from collecting import QUICK

    with stamina.set_testing(True, attempts=10):
        outcome, events = collect(fake, tmp_path, ["o/n"], patience=QUICK)
        assert [n["seconds"] for kind, n in events if kind == "wait"] == [3, 3]
        assert (outcome.missing, outcome.waited_seconds) == ([], 6)
        fake.limits["graphql"] = fake.points  # no points remain in this hour
        outcome, events = collect(fake, tmp_path, ["o/n"])
    (missing,) = outcome.missing
    assert "--max-wait" in missing.reason and "saved" in missing.reason
    assert math.isclose(outcome.waited_seconds, 0)
    assert not [n for kind, n in events if kind == "retry"], "a wait that is too long is not retried"


NO_DATA = {"errors": [{"message": "Something went wrong while executing your query."}], "data": None}


def test_an_answer_without_data_is_asked_for_again_in_smaller_pages(world, tmp_path):
    world.add("o/n", issues=300, pulls=100)
    fake = FakeGitHub(world)
    fake.faults.queue.extend(["no_data", None, *["no_data"] * 7])
    outcome, events = collect(fake, tmp_path, ["o/n"])
    assert [n["size"] for kind, n in events if kind == "smaller"] == [72, 36, 18, 10]
    assert [kind for kind, _ in events].count("retry") == 4, "the overview, and the smallest pages"
    assert outcome.missing == []
    assert to_expected_form(read_threads(tmp_path, "o/n")) == list_expected_threads(world.repositories["o/n"])
    fake.responses["/graphql"] = (200, {}, NO_DATA)
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing[0].reason == (
        f"no valid response after {TRIES} tries: GitHub: Something went wrong while executing your query."
    )


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Field 'x' doesn't exist", "locations": [{"line": 1, "column": 2}], "path": ["query"]},
        {"message": "Your token has not been granted the required scopes.", "type": "INSUFFICIENT_SCOPES"},
    ],
)
def test_a_wrong_query_is_not_sent_again(error):
    body = json.dumps({"errors": [error], "data": None}).encode()
    with pytest.raises(Refused, match="refuses the query"):
        protocol.read_graphql(HttpResponse(200, {}, body), TODAY)


@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_deleted_repository_is_gone_until_it_is_back(world, tmp_path, token):
    repository = world.add("o/n", issues=3, pulls=3)
    fake = FakeGitHub(world)
    outcome, _ = collect(fake, tmp_path, ["o/n"], token=TOKEN)
    del world.repositories["o/n"]
    outcome, events = collect(fake, tmp_path, ["o/n", "no/body"], token=token, now=TODAY + timedelta(days=1))
    assert [(m.repository, m.is_final) for m in outcome.missing] == [("o/n", True), ("no/body", False)]
    assert [kind for kind, n in events if n.get("repository") == "o/n"] == ["none"]
    world.repositories["o/n"] = repository
    collect(fake, tmp_path, ["o/n"], token=TOKEN, now=TODAY + timedelta(days=2))
    facts = read_all_facts(tmp_path)
    rows = facts["repositories/o__n@github.parquet"]
    assert [r["declared_status"] for r in rows] == [None, "gone", "active"]
    assert rows[2]["evidence"] == "no longer gone on GitHub"
    assert len(facts["threads/o__n@github-issues.parquet"]) == 3, "the older facts stay"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(451, b"{}", "for legal reasons"), (403, b"<html>", "refuses the request: status 403")],
)
def test_a_refusal_has_its_reason(status, body, reason):
    with pytest.raises(Refused, match=reason):
        protocol.check_limits(HttpResponse(status, {}, body), TODAY)


@pytest.mark.parametrize("errors", ["[3]", "{}"])
def test_errors_with_another_shape_are_unsound(errors):
    body = f'{{"data": {{"a": 1}}, "errors": {errors}}}'.encode()
    if errors == "{}":
        assert protocol.read_graphql(HttpResponse(200, {}, body), TODAY).errors == {}, "no errors"
        return
    with pytest.raises(Unsound, match="an error is not an object"):
        protocol.read_graphql(HttpResponse(200, {}, body), TODAY)


def test_a_refused_cursor_and_a_failed_part_are_errors():
    with pytest.raises(protocol.StaleCursor):
        protocol.check_errors(protocol.GraphQLData({}, 1, {"repository": "INVALID_CURSOR_ARGUMENTS: gone"}))
    with pytest.raises(RetryableError, match="timedout"):
        protocol.check_errors(protocol.GraphQLData({}, 1, {"repository.issues": "timedout"}))
    with pytest.raises(RetryableError, match="sent no data for the repository"):
        protocol.get_repository(protocol.GraphQLData({"a": None}, 1, {}), "a")
