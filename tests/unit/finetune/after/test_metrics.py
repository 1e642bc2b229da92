"""Metrics of the task, on answers whose values are counted by hand."""

from __future__ import annotations

import pytest

from finetune.after import metrics
from finetune.errors import SpecError

REFERENCES = ["red", "red", "green", "blue"]


def measure(name, answers, references, questions=None):
    return metrics.load_metric(name)(answers, references, questions or [""] * len(answers)).value


def test_exact_match_ignores_only_white_space():
    assert measure("exact-match", ["a  b\n", "A b", "a b.", ""], ["a b"] * 4) == 0.25


def test_label_f1_is_the_mean_over_the_labels_of_the_rows():
    """red: 1 of 2 found, 1 of 1 right: 2/3. green: 1 of 1 found, 1 of 2 right: 2/3. blue: not found: 0."""
    answers = ["Red", "green", "green ", "the sky"]
    assert measure("label-f1", answers, REFERENCES) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert measure("label-f1", REFERENCES, REFERENCES) == 1


def test_json_validity_is_strict():
    answers = ['{"a": 1}', "[]", '```json\n{"a": 1}\n```', '{"a": NaN}', "{'a': 1}", "[" * 100_000]
    assert measure("json-valid", answers, [""] * 6) == pytest.approx(2 / 6)


def test_json_fields_count_missing_wrong_and_invented_fields():
    reference = '{"name": "Rome", "ships": [1, 2], "open": true}'
    assert measure("json-fields", [reference], [reference]) == 1
    assert measure("json-fields", ['{"ships":[1.0,2],"open":true,"name":"Rome"}'], [reference]) == 1
    fenced_answer = f"```json\n{reference}\n```"
    assert measure("json-fields", [fenced_answer], [reference]) == 1
    answer = '{"name": "Oslo", "ships": [1], "open": 1, "mayor": "Ada"}'
    assert measure("json-fields", [answer], [reference]) == pytest.approx(1 / 5)
    assert measure("json-fields", ["Rome", reference], [reference, reference]) == pytest.approx(4 / 8)


@pytest.mark.parametrize(
    ("references", "names"),
    [
        (['{"a": 1}', "[1]"], ("json-fields", "json-valid", "exact-match")),
        (["yes", "no", "no"] * 4, ("label-f1", "exact-match")),
        ([f"it is {i} ." for i in range(12)], ("exact-match",)),
        ([f"The capital of country {i} is a city with a name." for i in range(12)], ()),
        ([], ()),
    ],
)
def test_automatic_metrics_suit_the_answers(references, names):
    assert metrics.list_metrics(["auto"], references) == names
    assert metrics.list_metrics(["exact-match", "auto", "exact-match"], references)[0] == "exact-match"


def test_function_of_the_user_gets_answer_reference_and_question(tmp_path):
    (tmp_path / "words.py").write_text("def count(text):\n    return len(text.split())\n")
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom words import count\n\n@dataclass\nclass Length:\n    n: int\n\n"
        "def near(answer, reference):\n    return abs(Length(count(answer)).n - count(reference)) <= 1\n\n"
        "def echo(answer, reference, question):\n    return question in answer\n\n"
        "def divide(answer, reference):\n    return 1 / len(answer)\n\n"
        "def infinite(answer, reference):\n    return float('inf')\n"
    )
    assert measure(f"{file}:near", ["a b", "a b c d"], ["a", "a"]) == 0.5
    assert measure(f"{file}:echo", ["why me", "no"], ["", ""], ["why", "why"]) == 0.5
    with pytest.raises(metrics.MetricError, match="divide failed on answer 2, '': ZeroDivisionError"):
        measure(f"{file}:divide", ["a", ""], ["", ""])
    with pytest.raises(metrics.MetricError, match="returned inf for answer 1"):
        measure(f"{file}:infinite", ["a"], [""])
    file.write_text("raise SystemError('no')\n\ndef near(a, b):\n    return 1\n")
    with pytest.raises(metrics.MetricError, match=r"cannot load .*SystemError: no"):
        measure(f"{file}:near", ["a"], [""])


def test_wrong_metrics_are_refused_without_running_them(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit\n\ndef score(answer, reference):\n    return 1\n")
    metrics.check_metrics(["auto", "label-f1", f"{file}:score"])
    with pytest.raises(SpecError, match="no function 'scores'; its functions are: score"):
        metrics.check_metrics([f"{file}:scores"])
    with pytest.raises(SpecError, match=r"cannot read .*none\.py: No such file"):
        metrics.check_metrics([f"{tmp_path / 'none.py'}:score"])
    file.write_text("def score(")
    with pytest.raises(SpecError, match="is not valid Python"):
        metrics.check_metrics([f"{file}:score"])
