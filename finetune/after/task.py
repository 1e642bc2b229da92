"""Judge a run by its task: the answers of base and adapter to the held-out questions, by `metrics`.

RUN/answers.jsonl has a row for each question: ``question``, ``reference`` (the answer in the row), ``base``
and ``adapter``. Other metrics can judge the same answers later without a model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.after import metrics
from finetune.after.comparison import Scores, compare, find_interval
from finetune.child_progress import OnCount, ignore_count
from finetune.errors import RunError
from finetune.machine import memory
from finetune.runners.emit import IGNORE_INDEX

if TYPE_CHECKING:
    from finetune.data.dataset import Dataset
    from finetune.data.encoded_row import EncodedRow
    from finetune.sections import Evaluation

ANSWERS_FILE = "answers.jsonl"
MODELS = ("base", "adapter")
_LONG_TEXTS = (
    "the answers in the rows are longer texts, of which many are right; --metric FILE.py:FUNCTION is your own"
)
_MARGIN_TOKENS = 8  # an answer may be a little longer than the longest reference
_BATCH_TOKENS = 4 * memory.EVALUATION_TOKENS


@dataclass(frozen=True)
class Questions:
    """Held-out questions as tokens and as text, the answers in their rows, and the models' answers so far.

    Attributes:
        prompts: tokens up to the last answer of each row.
        questions, references: the same as text, and the last answer.
        stop_tokens: the tokens that end these answers.
        max_new_tokens: how long an answer may be.
        metrics: names of the metrics that judge them.
        reason: why there are no questions.
        answers: ``base`` or ``adapter`` → its answers.
    """

    prompts: tuple[list[int], ...] = ()
    questions: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    max_new_tokens: int = 0
    metrics: tuple[str, ...] = ()
    reason: str = ""
    answers: dict[str, list[str]] = field(default_factory=dict)


def select_questions(data: Dataset, tokenizer: Any, evaluation: Evaluation) -> Questions:
    """Return the last question of the first held-out rows, if a metric can judge the answers.

    Rows without a question (plain text) and rows that were cut do not count.
    """
    questions = _read_questions(data, tokenizer, evaluation)
    names = metrics.list_metrics(evaluation.metrics, questions.references)
    if not evaluation.metrics:
        return Questions()
    if not questions.references:
        return Questions(reason="no held-out row has a question and a whole answer")
    if not names:
        return Questions(reason=_LONG_TEXTS)
    return replace(questions, metrics=names)


def _read_questions(data: Dataset, tokenizer: Any, evaluation: Evaluation) -> Questions:
    whole_rows = read_whole_rows(data, "test", evaluation.rows)
    return build_questions(whole_rows, tokenizer, evaluation.max_new_tokens)


def read_whole_rows(data: Dataset, split: str, limit: int) -> list[EncodedRow]:
    """Return those of the first ``limit`` rows of a split that were not cut."""
    outcomes = (o for o in data.outcomes if o.split == split and o.fate in ("kept", "cut"))
    pairs = zip(outcomes, islice(data.read_rows(split), limit), strict=False)
    return [row for outcome, row in pairs if outcome.fate == "kept"]


def build_questions(rows: Sequence[EncodedRow], tokenizer: Any, max_new_tokens: int) -> Questions:
    """Return the last question of each row that has one, and its answer."""
    prompts, references, stops, longest = [], [], set(), 0
    for row in rows:
        start, end = find_last_answer(row)
        if start == 0:
            continue
        prompts.append(row.input_ids[:start])
        references.append(decode(tokenizer, row.input_ids[start:end]))
        longest = max(longest, end - start)
        if row.input_ids[end - 1] in tokenizer.all_special_ids:
            stops.add(row.input_ids[end - 1])
    return Questions(
        tuple(prompts),
        tuple(decode(tokenizer, prompt) for prompt in prompts),
        tuple(references),
        frozenset(stops),
        max(max_new_tokens, longest + _MARGIN_TOKENS),
    )


def find_last_answer(row: EncodedRow) -> tuple[int, int]:
    """Return where the last run of trained tokens starts and ends."""
    end = max((i for i, label in enumerate(row.labels) if label != IGNORE_INDEX), default=-1) + 1
    start = end
    while start and row.labels[start - 1] != IGNORE_INDEX:
        start -= 1
    return start, end


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return tokens as text, without special tokens and without white space around it."""
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()


def answer_questions(
    model: Any, tokenizer: Any, questions: Questions, on_rows: OnCount = ignore_count
) -> list[str]:
    """Return the model's greedy answers as text; ``on_rows`` gets the number of answers so far."""
    return [decode(tokenizer, ids) for ids in generate_answers(model, tokenizer, questions, on_rows)]


def generate_answers(
    model: Any, tokenizer: Any, questions: Questions, on_rows: OnCount = ignore_count
) -> list[list[int]]:
    """Return the tokens of the greedy answers, each up to the token that ends it.

    Prompts of similar length are in one batch; ``on_rows`` gets the number of answers so far.
    """
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
    stops = sorted(questions.stop_tokens | list_stop_tokens(model))
    answers: dict[int, list[int]] = {}
    for batch in _batch_prompts(questions):
        width = max(len(questions.prompts[n]) for n in batch)
        rows = [questions.prompts[n] for n in batch]
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows]).to(model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows]).to(model.device)
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=questions.max_new_tokens,
                do_sample=False,
                pad_token_id=pad,
                eos_token_id=stops or None,
            )
        new = out[:, width:] if out.shape[1] > width else out
        answers |= {n: _cut_after(row, stops) for n, row in zip(batch, new.tolist(), strict=True)}
        on_rows(len(answers))
    return [answers[n] for n in range(len(questions.prompts))]


def _cut_after(ids: list[int], stops: Sequence[int]) -> list[int]:
    """Return the tokens up to the first stop token, with it."""
    end = next((n for n, token in enumerate(ids) if token in stops), len(ids))
    return ids[: end + 1]


def list_stop_tokens(model: Any) -> frozenset[int]:
    """Return the tokens that end an answer by the model's generation config."""
    stop = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return frozenset(stop if isinstance(stop, list) else [] if stop is None else [stop])


def _batch_prompts(questions: Questions) -> Iterator[list[int]]:
    """Yield the numbers of prompts of similar length, with a limited number of tokens in all."""
    batch: list[int] = []
    for number in sorted(range(len(questions.prompts)), key=lambda n: len(questions.prompts[n])):
        length = len(questions.prompts[number]) + questions.max_new_tokens
        if batch and length * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def judge(questions: Questions) -> dict[str, Any]:
    """Return the values of the metrics, in the order of their names.

    Returns:
        ``rows``; ``metrics``: name → value and interval of each model, and of two models the difference with
        its interval, p-value and test, or an ``error``; ``reason``: why there are no metrics.
    """
    results: dict[str, Any] = {}
    for name in questions.metrics if questions.answers else ():
        try:
            metric = metrics.load_metric(name)
            scores = {
                model: metric(questions.answers[model], questions.references, questions.questions)
                for model in MODELS
                if model in questions.answers
            }
        except metrics.MetricError as error:
            results[name] = {"error": str(error)}
        else:
            results[name] = _summarise(scores)
    return {"rows": len(questions.references), "metrics": results, "reason": questions.reason}


def _summarise(scores: Mapping[str, Scores]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for model, score in scores.items():
        summary[model] = _round(score.value)
        summary[f"{model}_interval"] = [_round(bound) for bound in find_interval(score)]
    if len(scores) == len(MODELS):
        summary |= _summarise_difference(*(scores[model] for model in MODELS))
    return summary


def _summarise_difference(first: Scores, second: Scores) -> dict[str, Any]:
    comparison = compare(first, second)
    return {
        "difference": _round(comparison.difference),
        "difference_interval": [_round(comparison.low), _round(comparison.high)],
        "p_value": comparison.p_value,
        "test": comparison.test,
    }


def _round(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def write_answers(folder: Path, questions: Questions) -> None:
    """Write the questions and all answers to ``RUN/answers.jsonl``; nothing without answers."""
    if not questions.answers:
        return
    columns = {"question": questions.questions, "reference": questions.references, **questions.answers}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    record.write_text(folder / ANSWERS_FILE, text)


def judge_answers(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Judge the answers of a finished run by other metrics, without a model.

    Raises:
        RunError: the run has no answers.
        SpecError: a metric does not exist.
    """
    metrics.check_metrics(names)
    questions = read_answers(folder)
    chosen_names = metrics.list_metrics(names, questions.references)
    reason = "" if chosen_names else _LONG_TEXTS
    return judge(replace(questions, metrics=chosen_names, reason=reason))


def read_answers(folder: Path) -> Questions:
    """Return the questions and answers of a finished run.

    Raises:
        RunError: the run has no answers, or they cannot be read.
    """
    path = folder / ANSWERS_FILE
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        questions, references = (tuple(row[name] for row in rows) for name in ("question", "reference"))
        answers = {model: [row[model] for row in rows] for model in MODELS if rows and model in rows[0]}
    except FileNotFoundError:
        rows = []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path}: {error}") from None
    if not rows:
        raise RunError(
            f"{folder} has no answers to judge: no metric judged the run, or it has no held-out questions; "
            "train it again with --metric"
        )
    return Questions(questions=questions, references=references, answers=answers)


def compare_runs(first: Path, second: Path, name: str) -> dict[str, Any] | None:
    """Return difference, p-value and test of the adapters of two runs; None if they cannot be compared."""
    try:
        runs = [read_answers(folder) for folder in (first, second)]
        if name not in metrics.METRICS:  # a record of a stranger may name any file
            return None
        if runs[0].questions != runs[1].questions or any("adapter" not in run.answers for run in runs):
            return None
        metric = metrics.load_metric(name)
        scores = [metric(run.answers["adapter"], run.references, run.questions) for run in runs]
    except (RunError, metrics.MetricError):
        return None
    return _summarise_difference(*scores)


def describe(task: Mapping[str, Any]) -> list[str]:
    """Return a line for people on each metric: ``exact-match 0 % → 92 % (…)``."""
    return [
        f"{name}: {result['error']}" if "error" in result else f"{name} {_describe_result(result)}"
        for name, result in task.get("metrics", {}).items()
    ]


def _describe_result(result: Mapping[str, Any]) -> str:
    values = " → ".join(format_value(result, model) for model in MODELS if model in result)
    return "; ".join(filter(None, (values, describe_test(result))))


def format_value(result: Mapping[str, Any], model: str) -> str:
    """Return a model's value with its 95 % interval, as text."""
    value, (low, high) = result[model], result[f"{model}_interval"]
    return "?" if None in (value, low, high) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def describe_test(result: Mapping[str, Any]) -> str:
    """Return whether the two models differ, in words, with p-value and test; empty for one model."""
    if "p_value" not in result:
        return ""
    p_value, difference = result["p_value"], result["difference"] or 0.0
    verdict = "no clear difference" if p_value >= 0.05 else "better" if difference > 0 else "worse"
    p_text = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    return f"{verdict} ({p_text}, {result['test']})"
