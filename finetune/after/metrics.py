"""Metrics of the task: how right an answer is, compared with the answer in the row.

A metric gets the answers of one model, the answers in the rows, and the questions, and returns `Scores`.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from advisor.files import expand_home
from finetune.after.comparison import Scores, average, divide
from finetune.errors import SpecError
from finetune.sections import AUTOMATIC_METRIC, METRIC_NAMES

Texts = Sequence[str]
Metric = Callable[[Texts, Texts, Texts], Scores]
_MODULE = "advisor_metric"
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)
_MOST_LABELS, _ROWS_OF_A_LABEL = 50, 3
_SHORT_ANSWER_WORDS, _SHORT_ANSWER_SHARE = 5, 0.75


class MetricError(Exception):
    """A metric of the user failed on a row; the message says where and why."""


def match_exactly(answers: Texts, references: Texts, _: Texts) -> Scores:
    """Share of answers that are the reference, apart from white space."""
    pairs = zip(answers, references, strict=True)
    return average([float(_strip(answer) == _strip(reference)) for answer, reference in pairs])


def measure_label_f1(answers: Texts, references: Texts, _: Texts) -> Scores:
    """Mean F1 over the labels of the references (macro F1); upper and lower case are equal."""
    reference_labels = [_strip(text).casefold() for text in references]
    answer_labels = [_strip(text).casefold() for text in answers]
    labels = sorted(set(reference_labels))
    in_reference = np.array([[text == label for label in labels] for text in reference_labels], float)
    in_answer = np.array([[text == label for label in labels] for text in answer_labels], float)

    def combine(sums: np.ndarray) -> np.ndarray:
        hits, references_of_label, answers_of_label = np.split(sums, 3, axis=-1)
        f1 = divide(2 * hits, references_of_label + answers_of_label)
        is_present = references_of_label > 0
        return divide((np.nan_to_num(f1) * is_present).sum(axis=-1), is_present.sum(axis=-1))

    return Scores(np.hstack([in_reference * in_answer, in_reference, in_answer]), combine)


def measure_json_validity(answers: Texts, _: Texts, __: Texts) -> Scores:
    """Share of answers that a JSON parser accepts as they are."""
    return average([float(_parse_json(answer) is not None) for answer in answers])


def measure_json_fields(answers: Texts, references: Texts, _: Texts) -> Scores:
    """Share of right fields among all fields of answer and reference; a code fence around it is ignored."""
    parts = []
    for answer, reference in zip(answers, references, strict=True):
        right_fields = _flatten(_parse_json(_remove_fence(reference)))
        fields = _flatten(_parse_json(_remove_fence(answer)))
        hits = sum(right_fields[name] == fields.get(name) for name in right_fields)
        parts.append([hits, len(right_fields.keys() | fields.keys())])
    return Scores(np.array(parts, float), lambda sums: divide(sums[..., 0], sums[..., 1]))


METRICS: Mapping[str, Metric] = {
    "exact-match": match_exactly,
    "label-f1": measure_label_f1,
    "json-valid": measure_json_validity,
    "json-fields": measure_json_fields,
}


def choose_metrics(references: Texts) -> tuple[str, ...]:
    """Return the metrics that suit the answers in the rows, the most telling one first.

    JSON: fields and validity. At most 50 different answers of at least three rows each on average: labels.
    Three of four answers of at most five words: exact match. Longer texts: none, as many texts are right.
    """
    if references and all(isinstance(_parse_json(text), dict | list) for text in references):
        return ("json-fields", "json-valid", "exact-match")
    labels = Counter(_strip(text).casefold() for text in references)
    if 1 < len(labels) <= min(_MOST_LABELS, len(references) / _ROWS_OF_A_LABEL):
        return ("label-f1", "exact-match")
    short_answers = [text for text in references if len(text.split()) <= _SHORT_ANSWER_WORDS]
    if references and len(short_answers) >= _SHORT_ANSWER_SHARE * len(references):
        return ("exact-match",)
    return ()


def list_metrics(names: Sequence[str], references: Texts) -> tuple[str, ...]:
    """Return the names of the metrics, with those that suit the answers in place of ``auto``."""
    groups = [choose_metrics(references) if name == AUTOMATIC_METRIC else (name,) for name in names]
    return tuple(dict.fromkeys(name for group in groups for name in group))


def check_metrics(names: Sequence[str]) -> None:
    """Check that every metric exists, before a long training; runs no code of the user.

    Raises:
        SpecError: a file does not exist, is not Python, or has no such function.
    """
    for name in names:
        if name in METRIC_NAMES:
            continue
        path, function = _split_name(name)
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except OSError as error:
            raise SpecError(f"evaluation.metrics: cannot read {path}: {error.strerror}") from None
        except (SyntaxError, ValueError) as error:
            raise SpecError(f"evaluation.metrics: {path} is not valid Python: {error}") from None
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        if function not in functions:
            there = f"its functions are: {', '.join(functions)}" if functions else "it has no functions"
            raise SpecError(f"evaluation.metrics: {path} has no function {function!r}; {there}")


def load_metric(name: str) -> Metric:
    """Return a metric by its name; ``FILE.py:FUNCTION`` loads the user's function.

    Raises:
        MetricError: the file cannot be loaded.
    """
    if name in METRICS:
        return METRICS[name]
    path, function_name = _split_name(name)
    try:
        sys.path.insert(0, str(path.resolve().parent))  # the file may import its neighbours
        module = sys.modules[_MODULE] = ModuleType(_MODULE)
        SourceFileLoader(_MODULE, str(path)).exec_module(module)
        function = getattr(module, function_name)
        wants_question = len(inspect.signature(function).parameters) > 2
    except Exception as error:  # noqa: BLE001 - the user's code can raise anything
        raise MetricError(f"cannot load {name}: {type(error).__name__}: {error}") from None

    def measure(answers: Texts, references: Texts, questions: Texts) -> Scores:
        scores = []
        for number, row in enumerate(zip(answers, references, questions, strict=True), 1):
            try:
                score = float(function(*row[: 2 + wants_question]))
            except Exception as error:  # noqa: BLE001 - the user's code can raise anything
                problem = f"{type(error).__name__}: {error}"
                raise MetricError(f"{name} failed on answer {number}, {row[0][:80]!r}: {problem}") from None
            if not math.isfinite(score):
                raise MetricError(f"{name} returned {score} for answer {number}; expected a finite number")
            scores.append(score)
        return average(scores)

    return measure


def _split_name(name: str) -> tuple[Path, str]:
    path, _, function = name.rpartition(":")
    return expand_home(path), function


def _strip(text: str) -> str:
    return " ".join(text.split())


def _remove_fence(text: str) -> str:
    match = _FENCE.fullmatch(text)
    return match.group(1) if match else text


def _parse_json(text: str) -> Any:
    """Return the value of a JSON text; None if it is not JSON, or null."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of a JSON value by their path; an empty object or list is a leaf."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, item in items for k, v in _flatten(item, f"{path}/{name}").items()}
    if value is None and not path:
        return {}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {path: ("number" if is_number else type(value).__name__, value)}
