"""One answer about a few packages from the bundled facts, field by field."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
from advisor.answers.question import Request
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.model import Outlook
from advisor.outlook.measurements import measure_outlooks

RELATED_TITLE = "Fine-tuning and related libraries"


@pytest.fixture(scope="module")
def stores():
    return open_stores(bundled_stores())


@pytest.fixture(scope="module")
def answer(stores):
    packages = [c.package for c in load_domain("finetuning").candidates]
    dependencies = [Dependency("pypi", name, "r.txt", 2) for name in packages]
    dependencies += [
        Dependency("pypi", "starlette", "r.txt"), Dependency("conda", "TRL", "env.yml"),
        Dependency("pypi", "safetensors", "r.txt"), Dependency("npm", "left", "p.json"),
        Dependency("pypi", "fork", "r.txt", local="../fork"),
        Dependency("pypi", "quart", "r.txt", repository="Pallets/Quart"),
        Dependency("pypi", "sanic", "r.txt", repository="Sanic-org/Sanic"),
        Dependency("pypi", "lmflow", "r.txt", repository="OptimalScale/LMFlow"),
    ]  # fmt: skip
    return rank_dependencies(dependencies, stores, Request(), ["r.txt", "env.yml"])


def test_the_answer_has_files_goal_and_weights(answer):
    assert (answer.files, answer.goal) == (("r.txt", "env.yml"), "balanced")
    assert answer.weights == pytest.approx(
        {
            "contributors": 0.78 * 0.0116,
            "issues": 0.78 * 0.0516,
            "backing": 0.15,
            "activity": 0.78 * 0.1788,
            "adoption": 0.78 * 0.2856,
            "momentum": 0.78 * 0.106,
            "outlook": 0.78 * 0.3663,
            "security": 0.07,
        },
        abs=1e-4,
    )


def test_packages_without_a_score_come_by_name_with_reasons(answer):
    reasons = [
        (h.dependency.name, h.repository, h.unknown.split("; the last commit")[0]) for h in answer.unknown
    ]
    assert reasons == [
        ("TRL", None, "its repository is not known"),  # conda's package of this name may be another one
        ("fork", None, "it comes from ../fork"),
        ("left", None, "its repository is not known"),
        ("lmflow", "OptimalScale/LMFlow",
         "OptimalScale/LMFlow: its commits were last collected on 2026-05-01; collect them again"),
        ("safetensors", "huggingface/safetensors", "huggingface/safetensors: there are no facts about it"),
    ]  # fmt: skip
    (idle,) = [h.ranked for h in answer.known if h.dependency.name == "quart"]
    assert any("the last commit by a person was 226 days ago" in f.text for f in idle.findings)
    assert all(h.ranked is None and h.as_of is None and h.alternatives == () for h in answer.unknown)
    assert {h.dependency.name: h.origin for h in answer.unknown}["lmflow"] == "r.txt"


def test_packages_with_a_score_have_repository_origin_and_date(answer, stores):
    days = {name: store.as_of for store in stores for name in store.repositories()}
    packages = {h.dependency.name: h for h in answer.known}
    assert packages["trl"].origin == "domain finetuning-wide"
    assert not packages["trl"].is_claim and not packages["sanic"].is_claim
    assert packages["sanic"].ranked.candidate.repository == "sanic-org/sanic"
    assert (packages["sanic"].repository, packages["sanic"].origin) == ("Sanic-org/Sanic", "r.txt")
    assert all(h.as_of == days[h.ranked.candidate.repository] and h.unknown == "" for h in answer.known)
    assert len({h.as_of for h in answer.known}) > 1
    assert packages["trl"].ranked.candidate.backer == "Hugging Face"


def test_excluded_packages_come_first_then_by_score_and_name(answer):
    order = [(not h.ranked.excluded, h.score, h.dependency.name) for h in answer.known]
    assert order == sorted(order)
    assert [h.dependency.name for h in answer.known if h.score == order[-1][1]] == ["unsloth"]
    assert answer.known[0].dependency.name == "torchtune"


def test_alternatives_are_the_three_healthiest(answer):
    score = {h.dependency.name: h.score for h in answer.known}
    beside = {h.dependency.name: h.alternatives for h in answer.known}
    fares = {a.name: a.score for measurement in beside.values() for a in measurement}
    assert all(fares[name] == score[name] for name in fares.keys() & score.keys())
    assert [(a.name, a.repository, a.category) for a in beside["torchtune"]] == [
        ("transformers", "huggingface/transformers", RELATED_TITLE),
        ("unsloth", "unslothai/unsloth", "Fine-tuning libraries"),
        ("trl", "huggingface/trl", "Fine-tuning libraries"),
    ]  # fmt: skip
    assert [a.name for a in beside["trl"]] == ["transformers", "unsloth"]
    assert [a.score for a in beside["litgpt"]] == sorted((a.score for a in beside["litgpt"]), reverse=True)
    assert "torchtune" not in fares and "starlette" not in [a.name for a in beside["starlette"]]


def test_the_outlook_is_a_measurement_or_has_a_reason(answer):
    packages = {h.dependency.name: h.ranked for h in answer.known}
    outlook = packages["trl"].outlook[-1]
    measurement = packages["trl"].measurement("inactive_in_24_months")
    assert (outlook.horizon_months, measurement.repository, measurement.status) == (
        24, "huggingface/trl", "measured",
    )  # fmt: skip
    assert (measurement.value, measurement.low, measurement.high) == (
        outlook.probability_inactive, outlook.low, outlook.high,
    )  # fmt: skip
    commits = packages["trl"].measurement("days_since_last_commit")
    assert (measurement.evidence_share, measurement.n) == (1.0, commits.n)
    assert set(commits.sources) < set(measurement.sources)
    assert measurement.first_day <= commits.first_day <= commits.last_day <= measurement.last_day
    idle = Outlook(24, None, 0.0, 1.0, abstained=True, reason="no commit for 400 days")
    measurement = measure_outlooks("a/idle", [idle], {})["inactive_in_24_months"]
    assert (measurement.repository, measurement.status, measurement.value, measurement.reason) == (
        "a/idle", "unavailable", None, "no commit for 400 days",
    )  # fmt: skip


def test_stores_keep_their_order_without_missing_paths(tmp_path):
    folder = data_folder() / "snapshots"
    places = [folder / name for name in ("dataframes", "finetuning", "web-frameworks")]
    assert bundled_stores() == places
    assert [s.path for s in open_stores([places[1], tmp_path, places[0]])] == [places[1], places[0]]


def test_no_facts_or_none_for_that_day(stores):
    end = ": run `advisor collect --from FILE` first"
    trl = [Dependency("pypi", "trl", "r.txt")]
    with pytest.raises(InputError) as error_info:
        rank_dependencies(trl, [], Request())
    assert str(error_info.value) == f"no facts{end}"
    one = [s for s in stores if "huggingface/trl" in s.repositories()]
    for day in (one[0].first_day - timedelta(days=1), one[0].as_of + timedelta(days=1)):
        with pytest.raises(InputError) as error_info:
            rank_dependencies(trl, one, Request(as_of=day))
        assert str(error_info.value) == f"no facts for {day}{end}"
    last = rank_dependencies(trl, one, Request(as_of=one[0].as_of))
    assert last.known[0].as_of == one[0].as_of and last.files == ()


def test_a_goal_and_own_rules(stores, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("""[[rule]]
id = "too-many"
verdict = "exclude"
when = { name = "contributors", op = ">=", value = 0 }
reason = "so many: {contributors}"
fires = [{ contributors = 0.5 }]
silent = [{}]
""")
    dependencies = [Dependency("pypi", "torchtune", "r.txt")]
    answer = rank_dependencies(dependencies, stores, Request(goal="independence", rules=rules))
    assert (answer.goal, answer.weights["backing"]) == ("independence", pytest.approx(5 / 14))
    assert [f.rule for f in answer.known[0].ranked.findings] == ["too-many"]


def test_packages_of_public_lists_are_known(stores):
    dependencies = [
        Dependency("pypi", "celery", "r.txt"),
        Dependency("npm", "next", "p.json"),
        Dependency("pypi", "requests", "r.txt"),
        Dependency("pypi", "japronto", "r.txt"),
        Dependency("pypi", "scrapy", "r.txt", index="pypi.corp.example"),
        Dependency("conda", "celery", "env.yml"),
    ]
    answer = rank_dependencies(dependencies, stores, Request())
    packages = {(h.dependency.ecosystem, h.dependency.name): h for h in answer.known}
    reasons = {h.dependency.name: h.unknown for h in answer.unknown}
    assert set(reasons) == {"scrapy", "next"}, "the index of scrapy is private"
    assert "not enough data" in reasons["next"], "its list reports less than half of the weight"
    celery = packages["pypi", "celery"]
    assert celery.repository == "celery/celery" and celery.origin.startswith(
        "list lukasmasuch/best-of-python, 20"
    )
    assert celery.rests_on_lists and not celery.is_claim
    assert celery.as_of == max(m.last_day for m in celery.ranked.measurements if m.last_day)
    assert not packages["pypi", "requests"].is_claim, "a list confirms the package's own word"
    japronto = packages["pypi", "japronto"]
    assert japronto.ranked.excluded and japronto.alternatives
    assert {a.category for a in japronto.alternatives} == {"Web frameworks (Python web development)"}
    before = rank_dependencies(dependencies, stores, Request(as_of=date(2023, 1, 31)))
    assert "celery" in {h.dependency.name for h in before.unknown}, "its figures are of a later day"
