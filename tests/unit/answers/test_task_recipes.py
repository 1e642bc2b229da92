"""The goal my-task: it asks for the task, weighs its recipes first, and says what fits and what differs."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recipes import find_recipes, read_task
from advisor.answers.recommend import recommend
from advisor.decide.requirements import Requirements
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import FactsError

OPTIONAL = {"documentation", "stability", "weight", "task"}
TASK = Requirements(model="gemma-2-9b", method="qlora", gpu_memory_gib=24)
PAIR = ("huggingface/trl", "Lightning-AI/litgpt")


def ask(**options):
    question = read_request(Request(**options))
    return question, recommend(question)


def test_other_goals_do_not_have_the_optional_criteria():
    assert {c.name for c in load_domain("finetuning").criteria if c.optional} == OPTIONAL
    for goal in ("balanced", "long-lived", "independence"):
        question = read_request(Request(goal=goal, requirements=TASK))
        assert not OPTIONAL & {c.name for c in question.domain.criteria}
        assert "my-task" not in question.domain.goals
        assert sum(question.weights.values()) == pytest.approx(1)
    one = read_request(Request(weights={"documentation": 5}))
    assert OPTIONAL & {c.name for c in one.domain.criteria} == {"documentation"}, "a weight brings it in"


@pytest.mark.parametrize("domain", ["dataframes", "web-frameworks"])
def test_other_domains_weigh_documentation_and_stability_if_asked(domain):
    question, _ = ask(domain=domain)
    assert not OPTIONAL & {c.name for c in question.domain.criteria}
    question, answer = ask(domain=domain, weights={"stability": 10, "documentation": 5})
    assert question.weights["stability"] == 2 * question.weights["documentation"] > 0
    measurements = [m for one in answer.ranking for m in one.measurements if m.metric == "api_retention"]
    assert any(m.value is not None for m in measurements), "the bundled facts have the public API"


@pytest.mark.parametrize(("domain", "sentence"), [
    ("dataframes", "no recipes in the domain dataframes: a recipe trains a model, and this domain does not ask"),
    ("finetuning", "no facts about recipes of these libraries: run `advisor collect-docs"),
])  # fmt: skip
def test_a_store_without_recipes_says_what_to_do(tmp_path, domain, sentence):
    with pytest.raises(FactsError, match=sentence):
        find_recipes(read_task("llama-3", (), None), [tmp_path], domain)


def test_recipes_weigh_most_and_are_those_of_the_command():
    question, answer = ask(goal="my-task", requirements=TASK)
    assert max(question.weights, key=question.weights.get) == "task"
    assert not question.has_own_weights
    stores = [data_folder() / "snapshots/finetuning"]
    recipes, _ = find_recipes(read_task("gemma-2-9b", ["qlora"], 24), stores)
    for candidate in answer.ranking:
        steps = recipes.nearest[candidate.repository][0].steps
        assert candidate.measurement("recipe_steps").value == steps
        assert candidate.criterion("task").utility == pytest.approx(1 - steps / 12)
    own = recipes.nearest[answer.choice][0]
    assert own.steps == 0
    assert answer.reasons[0] == f"a ready recipe fits the task as it is ({recipes.task}): {own.address}"


def test_without_a_recipe_the_doubt_names_the_nearest_one_and_who_has_one():
    _, answer = ask(goal="my-task", requirements=TASK, repositories=("huggingface/trl",))
    doubt = answer.doubts[0]
    assert doubt.startswith("no ready recipe for Gemma 2, qlora, sft, one GPU with 24 GB; nearest: ")
    assert "https://github.com/huggingface/trl/blob/" in doubt
    _, answer = ask(
        goal="my-task", requirements=TASK, repositories=PAIR, weights={"contributors": 1, "task": 0.01}
    )
    assert answer.choice == "huggingface/trl" and answer.doubts[0].endswith("; litgpt has one")


def test_without_a_task_the_answer_asks_for_it():
    question, answer = ask(goal="my-task")
    assert "task" not in question.weights and sum(question.weights.values()) == pytest.approx(1)
    assert not question.has_own_weights
    assert "add --model, --method and --gpu-memory" in answer.doubts[0]


def test_the_recipes_are_those_of_the_day():
    _, early = ask(goal="my-task", requirements=TASK, as_of=date(2024, 6, 1), repositories=PAIR)
    steps = [r.measurement("recipe_steps").value for r in early.ranking]
    assert all(value > 0 for value in steps), "Gemma 2 came on 2024-06-27"


def test_an_unknown_model_is_no_recipe_and_no_crash():
    _, answer = ask(goal="my-task", requirements=Requirements(model="nobody/own-7b", method="lora"))
    assert answer.doubts[0].startswith("no recipe was looked for: ")
    assert all(r.measurement("recipe_steps").status == "unavailable" for r in answer.ranking)
