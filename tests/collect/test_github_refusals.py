"""What GitHub refuses, throttles or no longer knows: halved, waited for, or told."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from collecting import TODAY, as_expected, collect, expected_threads, threads_of
from fake_github import FakeGitHub, World

from advisor.collect.github import protocol
from advisor.collect.http.messages import Answer, TryAgain
from advisor.collect.http.transport import TRIES
from advisor.errors import Refused, Unsound


@pytest.fixture
def world():
    return World(seed=5)


def test_a_heavy_query_is_halved_and_grows_again(world, tmp_path):
    world.add("o/n", issues=300, pulls=100)
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, "gateway_timeout", "resource_limits", "bad_gateway"])
    outcome, told = collect(fake, tmp_path, ["o/n"])
    assert [n["size"] for what, n in told if what == "smaller"] == [25, 12, 10]
    assert outcome.missing == []
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(world.repositories["o/n"])


def test_an_overview_of_many_is_halved(world, tmp_path):
    names = [f"o/r{i}" for i in range(20)]
    for name in names:
        world.add(name, issues=0, pulls=0, discussions=0, releases=0, weeks=0)
    fake = FakeGitHub(world)
    fake.faults.queue.extend(["bad_gateway", "resource_limits", "partial"])
    outcome, told = collect(fake, tmp_path, names)
    assert [n["size"] for what, n in told if what == "smaller"] == [10, 5]
    assert outcome.done == set(names)


def test_a_cursor_that_github_no_longer_knows(world, tmp_path):
    world.add("o/n", issues=200, pulls=10)
    fake = FakeGitHub(world)
    fake.faults.queue.extend([None, None, *["cut_connection"] * TRIES])
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing
    import sqlite3

    with sqlite3.connect(tmp_path / "collect.sqlite") as db:
        assert db.execute("UPDATE progress SET cursor = 'gone' WHERE cursor IS NOT NULL").rowcount
    db.close()
    outcome, _ = collect(fake, tmp_path, ["o/n"])
    assert outcome.missing == []
    assert as_expected(threads_of(tmp_path, "o/n")) == expected_threads(world.repositories["o/n"])


def test_limits_are_waited_for_and_the_wait_is_bounded(world, tmp_path):
    world.add("o/n")
    fake = FakeGitHub(world, retry_after=3)
    fake.resets_at = TODAY + timedelta(hours=1)
    fake.faults.queue.extend(["secondary_403", "secondary_429"])
    import stamina
    from collecting import QUICK

    with stamina.set_testing(True, attempts=10):
        outcome, told = collect(fake, tmp_path, ["o/n"], patience=QUICK)
        assert [n["seconds"] for what, n in told if what == "wait"] == [3, 3]
        assert (outcome.missing, outcome.waited_seconds) == ([], 6)
        fake.limits["graphql"] = fake.points  # nothing left until the hour is over
        outcome, told = collect(fake, tmp_path, ["o/n"])
    (missing,) = outcome.missing
    assert "--max-wait" in missing.why and "kept" in missing.why
    assert math.isclose(outcome.waited_seconds, 0)
    assert not [n for what, n in told if what == "retry"], "who is told to wait does not knock again"


@pytest.mark.parametrize(
    ("status", "body", "said"), [(451, b"{}", "for legal reasons"), (403, b"<html>", "refuses: status 403")]
)
def test_a_refusal_is_told_with_its_reason(status, body, said):
    with pytest.raises(Refused, match=said):
        protocol.check_limits(Answer(status, {}, body), TODAY)


@pytest.mark.parametrize("errors", ["[3]", "{}"])
def test_errors_that_are_none_of_graphql_are_unsound(errors):
    body = f'{{"data": {{"a": 1}}, "errors": {errors}}}'.encode()
    if errors == "{}":
        assert protocol.read_graphql(Answer(200, {}, body), TODAY).errors == {}, "nothing is said"
        return
    with pytest.raises(Unsound, match="an error is no object"):
        protocol.read_graphql(Answer(200, {}, body), TODAY)


def test_a_refused_cursor_and_a_failed_part_are_not_taken_for_the_whole():
    with pytest.raises(protocol.StaleCursor):
        protocol.whole(protocol.Data({}, 1, {"repository": "INVALID_CURSOR_ARGUMENTS: gone"}))
    with pytest.raises(TryAgain, match="timedout"):
        protocol.whole(protocol.Data({}, 1, {"repository.issues": "timedout"}))
    with pytest.raises(TryAgain, match="with nothing for the repository"):
        protocol.of_repository(protocol.Data({"a": None}, 1, {}), "a")
