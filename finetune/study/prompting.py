"""Answers and losses of one base on held-out rows: prompted with examples, and with adapters of a probe.

`python -m finetune.study.prompting FOLDER` reads FOLDER/job.json and writes FOLDER/answers.json. It is a
fresh process, because a model of strangers may have code of its own (`finetune.isolation`).
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune import attempt, record
from finetune.after import evaluate, metrics, task
from finetune.after.losses import score_rows
from finetune.child_progress import OnCount, begin, count_rows
from finetune.data.encoded_row import EncodedRow
from finetune.data.rows import Row, read_rows
from finetune.data.template import encode_rows
from finetune.runners.emit import IGNORE_INDEX, peak_rss_bytes
from finetune.spec import RunSpec
from finetune.weights.base import read_model_config

if TYPE_CHECKING:
    from finetune.sections import Data

EARLIER_FILE = "answers-so-far.json"


def judge_base(folder: Path) -> dict[str, Any]:
    """Answer all held-out questions with each contestant; write and return the result.

    Returns:
        ``places`` (of the rows that are not too long), ``questions``, ``references``, and ``contestants``:
        name → its ``answers`` (or None), its ``losses`` (of each row: sum of -log p of the tokens of
        the answer, and their number), ``seconds`` for an answer and ``peak_bytes`` of memory.
    """
    job = json.loads((folder / "job.json").read_text("utf-8"))
    spec = RunSpec.model_validate(job["spec"])
    tokenizer = attempt.load_run_tokenizer(spec)
    rows = _read_questions(job["held_out"], spec.data)[: spec.evaluation.rows]
    examples = _read_questions(job["train"], spec.data)[: job["examples"]]
    window = read_model_config(spec.model.base, spec.model.revision).get("max_position_embeddings")
    rows_by_place = dict(enumerate(rows))
    plain_rows, prompted_rows, count = _encode(rows_by_place, examples, tokenizer, spec.data, window)
    contestants = _Contestants(folder / EARLIER_FILE, tokenizer, spec)
    plain = list(plain_rows.values())
    begin("load the model")
    model = evaluate.load_model(folder, spec, is_quantised=spec.method.name == "qlora", is_trained=False)
    contestants.judge("0 examples", model, plain)
    if count:
        contestants.judge(f"{count} examples", model, list(prompted_rows.values()))
    for name, adapter in job["adapters"].items():
        model = _add_adapter(model, adapter)
        contestants.judge(name, model, plain)
    questions = task.build_questions(plain, tokenizer, spec.evaluation.max_new_tokens)
    result = {
        "places": list(plain_rows),
        "questions": questions.questions,
        "references": questions.references,
        "contestants": contestants.results,
    }
    record.write_text(folder / "answers.json", json.dumps(result, ensure_ascii=False))
    (folder / EARLIER_FILE).unlink(missing_ok=True)
    return result


class _Contestants:
    """What each contestant answered; a file has the results so far, for a process that was interrupted."""

    def __init__(self, file: Path, tokenizer: Any, spec: RunSpec) -> None:
        self._file, self._tokenizer, self._spec = file, tokenizer, spec
        self.results: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}

    def judge(self, name: str, model: Any, rows: Sequence[EncodedRow]) -> None:
        """Let a contestant answer, unless the file has its results."""
        if name in self.results:
            return
        self.results[name] = _judge(name, model, rows, self._tokenizer, self._spec)
        record.write_text(self._file, json.dumps(self.results, ensure_ascii=False))


def _add_adapter(model: Any, adapter: str) -> Any:
    """Return the model with another adapter, which is the active one."""
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return PeftModel.from_pretrained(model, adapter, adapter_name="0").eval()
    number = str(len(model.peft_config))
    model.load_adapter(adapter, adapter_name=number)
    model.set_adapter(number)
    return model.eval()


def _read_questions(source: str, data: Data) -> list[Row]:
    """Return the rows that have a question and an answer."""
    rows = [row for row in read_rows(source, data.format, data.ignored_columns) if isinstance(row, Row)]
    return [row for row in rows if row.format != "text" and (not row.messages or len(row.messages) > 1)]


def add_examples(row: Row, examples: Sequence[Row]) -> Row:
    """Return the row with the last question and answer of each example before its own turns."""
    if not row.messages:
        prompts = [f"{example.prompt}{example.completion}\n\n" for example in examples if example.prompt]
        return replace(row, prompt="".join([*prompts, row.prompt]))
    system = [turn for turn in row.messages[:1] if turn.role == "system"]
    turns = [turn for example in examples if example.messages for turn in example.messages[-2:]]
    messages = (*system, *turns, *row.messages[len(system) :])
    return replace(row, messages=messages, prompt_turns=row.prompt_turns and row.prompt_turns + len(turns))


def _encode(
    rows: Mapping[int, Row], examples: Sequence[Row], tokenizer: Any, data: Data, window: int | None
) -> tuple[dict[int, EncodedRow], dict[int, EncodedRow], int]:
    """Return the rows that are not too long, without and with examples, and how many examples fit."""
    limit = min(data.max_length, window or data.max_length)
    plain_rows = _encode_all(rows, tokenizer, data, limit)
    for count in range(len(examples) if plain_rows else 0, 0, -1):
        longer_rows = {n: add_examples(rows[n], examples[:count]) for n in plain_rows}
        prompted_rows = _encode_all(longer_rows, tokenizer, data, window or math.inf)
        if len(prompted_rows) == len(plain_rows):
            return plain_rows, prompted_rows, count
    return plain_rows, plain_rows, 0


def _encode_all(rows: Mapping[int, Row], tokenizer: Any, data: Data, limit: float) -> dict[int, EncodedRow]:
    """Return the tokens of the rows that have an answer and are not longer than the limit."""
    encoded_rows = dict(zip(rows, encode_rows(list(rows.values()), tokenizer, data), strict=True))
    return {
        n: row
        for n, row in encoded_rows.items()
        if isinstance(row, EncodedRow) and len(row.input_ids) <= limit and task.find_last_answer(row)[0]
    }


def _judge(
    name: str, model: Any, rows: Sequence[EncodedRow], tokenizer: Any, spec: RunSpec
) -> dict[str, Any]:
    """Return answers, losses, seconds for an answer and peak memory of one contestant.

    If no metric can judge the answers, only the first questions are answered: their loss decides, and
    answers take most of the time. The others are None.
    """
    evaluation = spec.evaluation
    questions = task.build_questions(rows, tokenizer, evaluation.max_new_tokens)
    count = len(rows)
    if not metrics.list_metrics(evaluation.metrics, questions.references):
        count = min(count, max(1, evaluation.generations))
    first_questions = task.build_questions(rows[:count], tokenizer, evaluation.max_new_tokens)
    start = time.monotonic()
    answers = task.answer_questions(
        model, tokenizer, first_questions, count_rows(f"answers with {name}", count)
    )
    seconds = (time.monotonic() - start) / max(1, count)
    on_rows = count_rows(f"loss with {name}", len(rows))
    return {
        "answers": [*answers, *[None] * (len(rows) - count)],
        "losses": _measure_losses(model, rows, tokenizer, on_rows),
        "seconds": round(seconds, 4),
        "peak_bytes": _read_peak_bytes(model),
    }


def _read_peak_bytes(model: Any) -> int:
    """Return the peak memory of this process so far: of its GPU if the model is there, else its own."""
    import torch

    if model.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return peak_rss_bytes()


def _measure_losses(
    model: Any, rows: Sequence[EncodedRow], tokenizer: Any, on_rows: OnCount
) -> list[tuple[float, int]]:
    """Return sum and number of -log p over the tokens of the last answer of each row."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    answers = []
    for row in rows:
        start, end = task.find_last_answer(row)
        labels = [IGNORE_INDEX] * start + row.labels[start:end] + [IGNORE_INDEX] * (len(row.labels) - end)
        answers.append(EncodedRow(row.input_ids, labels))
    return score_rows(model, answers, pad, on_rows)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    judge_base(Path(sys.argv[1]))
