"""Random faults of GitHub: the collection is complete, or it lists what is missing and resumes."""

from __future__ import annotations

import pytest
from collecting import collect, list_expected_threads, read_all_facts, read_threads, to_expected_form
from fake_github import FakeGitHub, World
from fake_github.faults import GRAPHQL, REST, Faults
from fake_github.graphql_api import GraphQLApi

FAKE_CONNECTION = GraphQLApi._connection
NAMES = ["o/a", "o/b", "o/quiet"]


def build_world():
    world = World(seed=21)
    world.add("o/a", issues=90, pulls=60, discussions=8)
    world.add("o/b", issues=12, pulls=80, discussions=0)
    world.add("o/quiet", issues=0, pulls=0, discussions=0, releases=0, stars=0, weeks=0)
    return world


@pytest.fixture(scope="module")
def facts_without_faults(tmp_path_factory):
    store = tmp_path_factory.mktemp("no-faults")
    outcome, _ = collect(FakeGitHub(build_world()), store, NAMES)
    assert outcome.missing == []
    return read_all_facts(store)


@pytest.mark.parametrize("seed", range(20))
def test_random_faults_lose_and_duplicate_nothing(facts_without_faults, tmp_path, seed):
    world = build_world()
    fake = FakeGitHub(world, Faults(seed, probability=0.3))
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert fake.faults.history, "no fault occurred"
    if not outcome.missing:
        assert read_all_facts(tmp_path) == facts_without_faults
        return
    # The collected facts are correct, and the next run completes them.
    for name in outcome.repositories:
        rows = to_expected_form(read_threads(tmp_path, name))
        assert rows.items() <= list_expected_threads(world.repositories[name]).items()
    fake.faults.probability = 0.0
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert outcome.missing == []
    assert read_all_facts(tmp_path) == facts_without_faults


@pytest.mark.parametrize("fault", sorted({*GRAPHQL, *REST}))
def test_each_kind_of_fault_is_retried(facts_without_faults, tmp_path, fault):
    fake = FakeGitHub(build_world())
    # The overview and the star history of o/a: each fails once.
    is_for = {"graphql": fault in GRAPHQL, "rest": fault in REST}
    fake.faults.queue.extend(
        [fault if is_for["graphql"] else None, None, None, None, *[fault] * is_for["rest"]]
    )
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert (outcome.missing, fault in fake.faults.history) == ([], True)
    assert read_all_facts(tmp_path) == facts_without_faults


def test_a_part_that_always_fails_is_missing_and_the_rest_is_complete(tmp_path):
    fake = FakeGitHub(build_world())
    fake.responses["/repos/o/a/stargazers/history"] = (503, {}, {"message": "no"})
    outcome, _ = collect(fake, tmp_path, NAMES)
    assert [(m.repository, m.part, m.is_final) for m in outcome.missing] == [("o/a", "star history", False)]
    assert to_expected_form(read_threads(tmp_path, "o/a")) == list_expected_threads(
        fake.world.repositories["o/a"]
    )


def test_a_cursor_that_never_advances_ends_the_reading(tmp_path):
    fake = FakeGitHub(build_world())
    fake.faults.queue.extend([None, *["stuck_cursor"] * 40])
    outcome, _ = collect(fake, tmp_path, ["o/a"])
    assert fake.requests() < 60
    assert any("cursor does not advance" in m.reason for m in outcome.missing)


def test_pages_that_never_end_are_an_error(tmp_path):
    """Each page has a new cursor, and none has a thread."""
    fake = FakeGitHub(build_world())
    answer, cursors = fake.graphql_api.run, iter(range(10**6))

    def run(document, variables, rate):
        out = answer(document, variables, rate)
        for value in (out["data"].get("repository") or {}).values():
            if isinstance(value, dict) and "pageInfo" in value:
                value["nodes"] = []
                value["pageInfo"] = {"hasNextPage": True, "endCursor": f"c{next(cursors)}"}
        return out

    fake.graphql_api.run = run
    fake.graphql_api._connection = lambda rows, args, info: FAKE_CONNECTION(
        fake.graphql_api, rows, {**args, "after": None}, info
    )
    outcome, _ = collect(fake, tmp_path, ["o/a"])
    assert fake.requests() < 60
    (missing,) = outcome.missing
    assert "pages for" in missing.reason and "says that more follow" in missing.reason
