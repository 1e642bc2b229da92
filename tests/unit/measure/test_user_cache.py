"""A past day that was asked once costs as a kept one, and only while nothing behind it changed."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from datetime import date, timedelta

import pytest

from advisor.answers import draw_cache
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.decide import acceptability
from advisor.domain.files import data_folder
from advisor.facts import reading, writing
from advisor.facts.facts_view import FactsView
from advisor.measure import cache, months, user_cache
from advisor.model import CriterionScore

DAY = date(2024, 6, 5)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache folder of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "advisor" / "answers"


@pytest.fixture
def computed(monkeypatch):
    """Return the list of what was computed: days that were measured, and "draws"."""
    steps = []
    measure, draw = cache.measure_fresh, acceptability.sample_ranks

    def measure_fresh(facts, **options):
        steps.append(facts.as_of)
        return measure(facts, **options)

    def sample_ranks(*arguments):
        steps.append("draws")
        return draw(*arguments)

    monkeypatch.setattr(cache, "measure_fresh", measure_fresh)
    monkeypatch.setattr(acceptability, "sample_ranks", sample_ranks)
    return steps


def ask(**changes):
    return asdict(recommend(read_request(replace(Request(as_of=DAY), **changes))))


def test_the_second_answer_is_the_first_one_and_computes_nothing(computed):
    first = ask()
    assert computed == [DAY, "draws"]
    assert ask() == first
    assert computed == [DAY, "draws"]


def test_another_day_and_other_weights_are_computed(computed):
    ask()
    computed.clear()
    ask(as_of=DAY + timedelta(days=1))
    assert computed == [DAY + timedelta(days=1), "draws"]
    computed.clear()
    ask(goal="long-lived")
    assert computed == ["draws"]


def test_two_candidates_of_today_are_drawn_once(computed):
    pair = {"as_of": None, "repositories": ("trl", "unsloth"), "goal": "long-lived"}
    first = ask(**pair)
    assert computed == ["draws"]
    assert ask(**pair) == first
    assert computed == ["draws"]


def test_a_changed_file_is_not_believed(folder, computed):
    first = ask()
    for file in folder.glob("*.json"):
        file.write_text(file.read_text().replace("0.", "0.1"))
    computed.clear()
    assert ask() == first
    assert computed == [DAY, "draws"]


def test_other_code_or_facts_have_other_keys(tmp_path, monkeypatch, computed):
    store = shutil.copytree(data_folder() / "snapshots" / "finetuning", tmp_path / "facts")
    ask(store=store)
    computed.clear()
    monkeypatch.setattr(user_cache, "hash_code", lambda _: "another version")
    ask(store=store)
    assert computed == [DAY, "draws"]
    computed.clear()
    names = reading.open_store(store).repositories()
    row = {"repository": names[0], "tag": "v99", "released_on": date(2024, 6, 1), "is_prerelease": False,
           "source": "git:x", "retrieved_at": DAY}  # fmt: skip
    writing.write_rows(store, "releases", names[0], [row], part="new")
    facts = FactsView(reading.open_store(store), (names[0],), DAY)
    months.measure(facts, has_outlooks=False)
    assert computed == [DAY]


def test_a_backtest_leaves_nothing(folder, computed):
    facts = FactsView(
        reading.open_store(data_folder() / "snapshots" / "finetuning"), ("huggingface/trl",), DAY
    )
    months.measure(facts, is_repeated=False)
    scores = {"x": (CriterionScore("a", 0.5, 0.5, 0.5, 1.0, ()),)}
    draw_cache.read_or_draw(facts.store, DAY, scores, {"a": 1.0}, is_repeated=False)
    assert computed == [DAY, "draws"]
    assert not folder.exists()


def test_a_folder_that_takes_no_files_is_no_error(folder, computed):
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    assert ask() == ask()
    assert computed == [DAY, "draws"] * 2


def test_the_oldest_files_go(folder, monkeypatch):
    monkeypatch.setattr(user_cache, "MOST_FILES", 2)
    for number in range(4):
        user_cache.write_value(f"key{number}", {"number": number})
        for file in folder.glob("*.json"):  # older by one step
            os.utime(file, (file.stat().st_mtime - 10,) * 2)
    assert sorted(file.name for file in folder.iterdir()) == [
        "key2.json", "key2.json.seal", "key3.json", "key3.json.seal"]  # fmt: skip
    assert user_cache.read_value("key3") == {"number": 3}
    assert user_cache.read_value("key0") is None
