"""One answer about a handful of packages from the bundled facts: every field of it, and what stands beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
from advisor.answers.question import Request
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import InputError

NEIGHBOURS = "Fine-tuning and related libraries"


@pytest.fixture(scope="module")
def stores():
    return open_stores(bundled_stores())


@pytest.fixture(scope="module")
def answer(stores):
    packages = [c.package for c in load_domain("finetuning").candidates]
    asked = [Dependency("pypi", name, "r.txt", 2) for name in packages]
    asked += [
        Dependency("pypi", "starlette", "r.txt"), Dependency("conda", "TRL", "env.yml"),
        Dependency("pypi", "numpy", "r.txt"), Dependency("npm", "left", "p.json"),
        Dependency("pypi", "fork", "r.txt", local="../fork"),
        Dependency("pypi", "quart", "r.txt", repository="Pallets/Quart"),
        Dependency("pypi", "lmflow", "r.txt", repository="OptimalScale/LMFlow"),
    ]  # fmt: skip
    return rank_dependencies(asked, stores, Request(), ["r.txt", "env.yml"])


def test_what_was_asked_and_by_what_it_was_judged(answer):
    assert (answer.files, answer.goal) == (("r.txt", "env.yml"), "balanced")
    assert answer.weights == pytest.approx(
        {"contributors": 3 / 12, "issues": 1 / 12, "backing": 2 / 12, "activity": 3 / 12, "outlook": 3 / 12}
    )


def test_the_unknown_by_name_with_the_reason_of_each(answer):
    assert [(h.dependency.name, h.repository, h.unknown) for h in answer.unknown] == [
        ("fork", None, "it comes from ../fork"),
        ("left", None, "its repository is not known"),
        ("lmflow", "OptimalScale/LMFlow",
         "OptimalScale/LMFlow: its commits were last collected on 2026-05-01; collect them again"),
        ("numpy", "numpy/numpy", "numpy/numpy: there are no facts about it"),
    ]  # fmt: skip
    assert all(h.ranked is None and h.as_of is None and h.alternatives == () for h in answer.unknown)
    assert {h.dependency.name: h.origin for h in answer.unknown}["lmflow"] == "r.txt"


def test_the_known_name_their_repository_its_source_and_the_day_of_its_facts(answer, stores):
    days = {name: store.as_of for store in stores for name in store.repositories()}
    known = {h.dependency.name: h for h in answer.known}
    assert known["trl"].origin == "domain finetuning-wide"
    assert known["TRL"].origin == "domain finetuning-wide; package of the same name on PyPI"
    assert known["quart"].ranked.candidate.repository == "pallets/quart"
    assert (known["quart"].repository, known["quart"].origin) == ("Pallets/Quart", "r.txt")
    assert all(h.as_of == days[h.ranked.candidate.repository] and h.unknown == "" for h in answer.known)
    assert len({h.as_of for h in answer.known}) > 1
    assert known["trl"].ranked.candidate.backer == "Hugging Face"


def test_those_ruled_out_first_then_by_score_then_by_name(answer):
    order = [(not h.ranked.excluded, h.score, h.dependency.name) for h in answer.known]
    assert order == sorted(order)
    assert [h.dependency.name for h in answer.known if h.score == order[-1][1]] == ["TRL", "trl"]
    assert answer.known[0].dependency.name == "torchtune"


def test_alternatives_are_the_three_best_that_are_better(answer):
    score = {h.dependency.name: h.score for h in answer.known}
    beside = {h.dependency.name: h.alternatives for h in answer.known}
    fares = {a.name: a.score for found in beside.values() for a in found}
    assert all(fares[name] == score[name] for name in fares.keys() & score.keys())
    assert [(a.name, a.repository, a.category) for a in beside["torchtune"]] == [
        ("peft", "huggingface/peft", NEIGHBOURS), ("trl", "huggingface/trl", "Fine-tuning libraries"),
        ("unsloth", "unslothai/unsloth", "Fine-tuning libraries"),
    ]  # fmt: skip
    assert [a.name for a in beside["trl"]] == ["peft"]
    assert [a.score for a in beside["litgpt"]] == sorted((a.score for a in beside["litgpt"]), reverse=True)
    assert "torchtune" not in fares and "starlette" not in [a.name for a in beside["starlette"]]


def test_the_outlook_is_measured_and_where_it_abstains_it_says_so(answer):
    known = {h.dependency.name: h.ranked for h in answer.known}
    for months, outlook in zip((12, 24), known["trl"].outlook, strict=True):
        found = known["trl"].measurement(f"inactive_in_{months}_months")
        assert (outlook.horizon_months, found.repository, found.status) == (
            months,
            "huggingface/trl",
            "measured",
        )
        assert (found.value, found.low, found.high) == (
            outlook.probability_inactive, outlook.low, outlook.high,
        )  # fmt: skip
        assert (found.evidence_share, found.sources) == (1.0, ("outlook",))
    idle = known["quart"].measurement("inactive_in_24_months")
    assert (idle.repository, idle.status, idle.value) == ("pallets/quart", "unavailable", None)
    assert idle.reason == known["quart"].outlook[1].reason != ""


def test_stores_are_the_bundled_ones_in_order_and_a_place_without_one_is_passed_over(tmp_path):
    folder = data_folder() / "snapshots"
    places = [folder / name for name in ("dataframes", "finetuning", "web-frameworks")]
    assert bundled_stores() == places
    assert [s.path for s in open_stores([places[1], tmp_path, places[0]])] == [places[1], places[0]]


def test_no_facts_at_all_or_not_of_that_day(stores):
    end = ": run `advisor collect --from FILE` first"
    trl = [Dependency("pypi", "trl", "r.txt")]
    with pytest.raises(InputError) as told:
        rank_dependencies(trl, [], Request())
    assert str(told.value) == f"no facts{end}"
    one = [s for s in stores if "huggingface/trl" in s.repositories()]
    for day in (one[0].first_day - timedelta(days=1), one[0].as_of + timedelta(days=1)):
        with pytest.raises(InputError) as told:
            rank_dependencies(trl, one, Request(as_of=day))
        assert str(told.value) == f"no facts for {day}{end}"
    last = rank_dependencies(trl, one, Request(as_of=one[0].as_of))
    assert last.known[0].as_of == one[0].as_of and last.files == ()


def test_a_goal_and_rules_of_ones_own(stores, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("""[[rule]]
id = "too-many"
verdict = "exclude"
when = { name = "contributors", op = ">=", value = 0 }
reason = "so many: {contributors}"
fires = [{ contributors = 0.5 }]
silent = [{}]
""")
    asked = [Dependency("pypi", "torchtune", "r.txt")]
    answer = rank_dependencies(asked, stores, Request(goal="independence", rules=rules))
    assert (answer.goal, answer.weights["backing"]) == ("independence", pytest.approx(5 / 13))
    assert [f.rule for f in answer.known[0].ranked.findings] == ["too-many"]
