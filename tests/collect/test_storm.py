"""Whatever GitHub does: the facts of a calm day, or exit code 3 and a list of what is missing."""

from __future__ import annotations

import pytest
from collecting import as_expected, collect, expected_threads, facts_of, threads_of
from fake_github import FakeGitHub, World
from fake_github.faults import GRAPHQL, REST, Faults

NAMES = ["o/a", "o/b", "o/quiet"]


def world():
    made = World(seed=21)
    made.add("o/a", issues=90, pulls=60, discussions=8)
    made.add("o/b", issues=12, pulls=80, discussions=0)
    made.add("o/quiet", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    return made


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    store = tmp_path_factory.mktemp("calm")
    outcome, _ = collect(FakeGitHub(world()), store, NAMES)
    assert outcome.missing == []
    return facts_of(store)


@pytest.mark.parametrize("seed", range(20))
def test_a_storm_loses_nothing_and_doubles_nothing(calm, tmp_path, seed):
    there = world()
    fake = FakeGitHub(there, Faults(seed, probability=0.3))
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert fake.faults.shown, "there was a storm"
    if not outcome.missing:
        assert facts_of(tmp_path) == calm
        return
    # What came through all the same is right, and the same command goes on to the end.
    for name in outcome.done:
        rows = as_expected(threads_of(tmp_path, name))
        assert rows.items() <= expected_threads(there.repositories[name]).items()
    fake.faults.probability = 0.0
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert outcome.missing == []
    assert facts_of(tmp_path) == calm


@pytest.mark.parametrize("fault", sorted({*GRAPHQL, *REST}))
def test_each_kind_of_fault_passes(calm, tmp_path, fault):
    fake = FakeGitHub(world())
    # The overview, the pages of o/a, its stars: each fails once.
    shows = {"graphql": fault in GRAPHQL, "rest": fault in REST}
    fake.faults.queue.extend(
        [fault if shows["graphql"] else None, None, None, None, *[fault] * shows["rest"]]
    )
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert (outcome.missing, fault in fake.faults.shown) == ([], True)
    assert facts_of(tmp_path) == calm


def test_a_source_that_never_recovers_is_missing_and_the_rest_is_there(tmp_path):
    fake = FakeGitHub(world())
    fake.answers["/repos/o/a/stargazers/history"] = (503, {}, {"message": "no"})
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert [(m.repository, m.part, m.is_final) for m in outcome.missing] == [("o/a", "star history", False)]
    assert as_expected(threads_of(tmp_path, "o/a")) == expected_threads(fake.world.repositories["o/a"])


def test_a_cursor_that_never_advances_ends(tmp_path):
    fake = FakeGitHub(world())
    fake.faults.queue.extend([None, *["stuck_cursor"] * 40])
    outcome, _ = collect(fake, tmp_path, ["o/a"])
    assert fake.requests() < 60
    assert any("cursor does not advance" in m.why for m in outcome.missing)
