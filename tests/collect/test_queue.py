"""The queue of a large collection: one run at a time, what it gives up, and what its plan has."""

from __future__ import annotations

import json

import pytest

from advisor.collect.many.queue import Queue, QueuePlan
from advisor.errors import FactsError, InputError

DAY = "2026-11-24"


def test_two_runs_cannot_share_a_store(tmp_path):
    first, second = Queue(tmp_path), Queue(tmp_path)
    with (
        first.lock_run(),
        pytest.raises(InputError, match="another process already collects"),
        second.lock_run(),
    ):
        pass
    with second.lock_run():
        pass


def test_repository_that_kills_its_workers_is_a_failure(tmp_path):
    queue = Queue(tmp_path)
    queue.start_run(QueuePlan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, str(tmp_path)), None)
    for _ in range(3):
        queue.prepare_store("a/b")
    with pytest.raises(FactsError, match="3 workers died while they collected it"):
        queue.prepare_store("a/b")


def test_deleted_facts_are_collected_again(tmp_path):
    queue, plan = Queue(tmp_path), QueuePlan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, str(tmp_path))
    queue.start_run(plan, None)
    (tmp_path / ".queue" / "done" / "a__b").touch()
    assert queue.is_done("a/b")
    queue.start_run(plan, None)
    assert not queue.is_done("a/b")
    (tmp_path / ".queue" / "plan.json").unlink()
    with pytest.raises(FactsError, match="start the collection again"):
        queue.read_plan()


def test_plan_has_no_secrets(tmp_path):
    queue = Queue(tmp_path)
    queue.start_run(QueuePlan({"a/b": "x"}, {"a/b": None}, ("git",), DAY, "cache"), None)
    assert set(json.loads((tmp_path / ".queue" / "plan.json").read_text())) == {
        "histories", "packages", "sources", "day", "cache", "cache_limit", "github_url", "max_wait",
    }  # fmt: skip
