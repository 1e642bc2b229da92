"""A goal that the facts cannot answer says so; a goal that no candidate meets says that too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from typer.testing import CliRunner

from advisor.answers.goal_check import check_goal
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli import app, load
from advisor.domain.domain import available_domains, load_domain
from advisor.metrics import METRICS
from advisor.model import Measurement


@pytest.fixture(scope="module")
def question():
    return read_request(Request(goal="independence"))


@pytest.fixture(scope="module")
def answer(question):
    return recommend(question)


def with_values(answer, **values):
    """The answer with these values of the elephant factor; None: not known."""
    ranking = []
    for row in answer.ranking:
        value = values.get(row.candidate.name)
        status = "measured" if value is not None else "unavailable"
        factor = Measurement(row.repository, "elephant_factor", status, value, value, value)
        rest = (m for m in row.measurements if m.metric != "elephant_factor")
        ranking.append(replace(row, measurements=(*rest, factor)))
    return replace(answer, ranking=tuple(ranking), doubts=(), open_questions=(), certainty="clear")


NAMES = ("trl", "unsloth", "axolotl", "litgpt")


def test_no_candidate_meets_independence(question, answer):
    result = check_goal(question, with_values(answer, **dict.fromkeys(NAMES, 1)))
    (doubt,) = result.doubts
    assert doubt.startswith("no candidate meets this goal (independence from one person or one company): ")
    assert "one organisation made half of the commits with a known affiliation of" in doubt
    assert all(name in doubt for name in NAMES)
    assert result.certainty == "leaning"


def test_a_candidate_that_is_not_known_is_not_counted_as_failing(question, answer):
    values = {**dict.fromkeys(NAMES, 1), "litgpt": None}
    (doubt,) = check_goal(question, with_values(answer, **values)).doubts
    assert doubt.startswith("no candidate is known to meet this goal")
    assert doubt.endswith("not known of litgpt")


def test_a_goal_that_one_candidate_meets_adds_nothing(question, answer):
    result = check_goal(question, with_values(answer, **{**dict.fromkeys(NAMES, 1), "litgpt": 3}))
    assert (result.doubts, result.certainty) == ((), "clear")


def test_the_bundled_facts_know_nobody_who_meets_independence(answer):
    assert answer.doubts[0].startswith("no candidate is known to meet this goal")
    assert answer.certainty != "clear"


@pytest.mark.parametrize(
    ("goal", "names", "share"), [("fast", "speed", "50%"), ("gpu-poor", "speed and memory", "55%")]
)
def test_a_goal_without_a_bench_says_so_and_shows_claims_as_claims(goal, names, share):
    answer = recommend(read_request(Request(goal=goal)))
    assert answer.doubts[0] == (
        f"nobody measured {names} on your machine, which is {share} of the weight of this goal: run `advisor bench`"
    )
    claims = [text for text in answer.doubts if "claims, and nobody measured here: “" in text]
    assert {text.split()[0] for text in claims} == {
        "trl",
        "litgpt",
        "axolotl",
        "unsloth",
    }  # torchtune is excluded
    assert all("https://github.com/" in text for text in claims)
    assert answer.certainty != "clear"
    assert answer.open_questions


def test_no_claim_is_later_than_the_day_of_the_question():
    answer = recommend(read_request(Request(goal="fast", as_of=date(2024, 6, 5))))
    claims = [text for text in answer.doubts if "claims, and nobody measured" in text]
    assert claims
    assert all("(2024-0" in text or "(2023-" in text for text in claims)


def test_the_command_ends_with_the_code_of_a_partial_answer():
    load("rank")
    result = CliRunner().invoke(app, ["rank", "--goal", "fast", "--store", "bundled"])
    assert result.exit_code == 3
    assert "not checked for" in result.stderr
    assert "speed on your machine" in result.stderr


def test_every_need_names_a_metric():
    for name in available_domains():
        for goal in load_domain(name).goals.values():
            assert {need.metric for need in goal.needs} <= set(METRICS)
