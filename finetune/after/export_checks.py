"""Check that an exported model answers as its run does: tokens, end tokens, held-out loss and answers.

The export is loaded afresh from its folder. What it must equal comes from the run, not from the adapter's
folder: the tokens that the run trained on, the tokenizer and template of its spec, and the loss of its
evaluation. So these checks also find an adapter's folder that somebody changed after the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.after import evaluate, preferences, task
from finetune.after.answer_checks import Answers, Check, answer_with, check_answers, select_questions
from finetune.after.losses import compute_mean_loss, score_rows
from finetune.child_progress import begin, count_rows
from finetune.data import dataset, rendering
from finetune.data.fields import list_forms
from finetune.data.rows import Row, read_rows
from finetune.data.template import encode_rows, load_tokenizer, set_template
from finetune.errors import DataError, ModelError
from finetune.spec import RunSpec

if TYPE_CHECKING:
    from finetune.data.encoded_row import EncodedRow

SMALLEST_BOUND = 1e-3  # nats a token: the order of the sums on several threads or on another device
ROUNDINGS = 4  # the rounding of the merged weight, of the adapter's product, and of both sums


def check_export(
    folder: Path, model_folder: Path, answers: Answers | None = None, *, is_dequantised: bool = False
) -> list[Check]:
    """Return the checks of a model that was exported from a run.

    Args:
        folder: the run's folder.
        model_folder: the exported model, with its tokenizer.
        answers: the adapter's answers; None: this loads the adapter for them.
        is_dequantised: whether the export has the weights of the quantised base.
    """
    spec = record.read_spec(folder, record.read_record(folder))
    data = dataset.open_dataset(folder / "data")
    own = load_tokenizer(str(model_folder), trust_remote_code=spec.model.trust_remote_code)
    reference = load_run_tokenizer(spec)
    questions = select_questions(data, reference, spec)
    if answers is None:
        adapter = evaluate.load_model(folder, spec, is_quantised=is_dequantised)
        answers = answer_with(adapter, reference, questions, "adapter")
        del adapter
        evaluate.release_memory()
    begin("compare the tokens")
    checks = [
        _check_tokens(data, spec, own),
        _check_end_tokens(model_folder, own, find_end_tokens(data, spec)),
        _check_loss(folder, model_folder, spec, is_dequantised=is_dequantised),
    ]
    if not questions.prompts:
        return [*checks, *check_answers(questions, answers, answers)]
    model = evaluate.load_whole_model(model_folder, spec)
    own_questions = replace(questions, stop_tokens=frozenset())  # its own config must end its answers
    return [
        *checks,
        *check_answers(questions, answers, answer_with(model, own, own_questions, "merged model")),
    ]


def load_run_tokenizer(spec: RunSpec) -> Any:
    """Return the tokenizer of a run's base model with the run's chat template."""
    base = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    return set_template(base, spec.data.template)


def find_end_tokens(data: dataset.Dataset, spec: RunSpec) -> dict[int, str]:
    """Return the special tokens that end the trained answers, with their texts.

    They are those of the held-out rows, else of the first training rows.
    """
    tokenizer = load_tokenizer(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    special_ids = set(tokenizer.all_special_ids)
    for split in ("test", "train"):
        rows = [side for row in task.read_whole_rows(data, split, spec.evaluation.rows) for side in row.sides]
        ends = {row.input_ids[task.find_last_answer(row)[1] - 1] for row in rows} & special_ids
        if ends:
            return {end: str(tokenizer.convert_ids_to_tokens(end)) for end in sorted(ends)}
    return {}


def add_end_tokens(model: Any, ends: Sequence[int]) -> None:
    """Add the tokens that end the trained answers to the model's generation config, where they are missing.

    The generation config of a base model often has only the end of a text, which a trained chat never writes.
    """
    stops = task.list_stop_tokens(model)
    if not stops.issuperset(ends):
        tokens = sorted(stops.union(ends))
        model.generation_config.eos_token_id = tokens if len(tokens) > 1 else tokens[0]


def find_loss_bound(dtype: str) -> float:
    """Return the largest difference of the held-out loss, in nats a token, that rounding explains."""
    import torch

    return max(SMALLEST_BOUND, ROUNDINGS * torch.finfo(getattr(torch, dtype)).eps)


def _check_tokens(data: dataset.Dataset, spec: RunSpec, own: Any) -> Check:
    name = "tokens"
    rows = evaluate.read_held_out(data, spec.evaluation.rows)
    if not rows:
        return Check(name, "not checked", "the run has no held-out rows")
    try:
        source_rows = read_source(data, spec)[: len(rows)]
        reference = load_run_tokenizer(spec)
    except (DataError, ModelError) as error:
        return Check(name, "not checked", str(error))
    if len(source_rows) != len(rows):
        return Check(name, "not checked", "the source of the held-out rows has changed since the run")
    encoded_rows = encode_rows(source_rows, own, spec.data)
    for n, (row, wanted_row) in enumerate(zip(encoded_rows, rows, strict=True), 1):
        problem = _compare_rows(row, wanted_row, spec.data.max_length)
        if problem:
            return Check(name, "failed", f"held-out row {n} of {len(rows)} {problem}")
    for n, source_row in enumerate(source_rows, 1):
        prompts = [encode_prompt(source_row, tokenizer) for tokenizer in (reference, own)]
        if prompts[0] != prompts[1]:
            return Check(
                name,
                "failed",
                f"the prompt of held-out row {n} {describe_difference(prompts[1], prompts[0])}",
            )
    return Check(name, "passed", f"{len(rows)} held-out rows and their prompts have the run's token ids")


def read_source(data: dataset.Dataset, spec: RunSpec) -> list[Row]:
    """Return the held-out rows as they were before they became tokens, in the order of ``test.jsonl``."""
    name = "evaluation_source_sha256" if spec.data.evaluation else "source_sha256"
    source = spec.data.evaluation or spec.data.train
    if dataset.hash_source(source) != data.summary[name]:
        raise DataError(f"{source} has changed since the run, or is gone")
    rows = dataset.read_objective_rows(
        read_rows(source, spec.data.format, spec.data.ignored_columns), spec.method.objective
    )
    outcomes = [o for o in data.outcomes if o.split == "test" or not spec.data.evaluation]
    return [
        row
        for row, outcome in zip(rows, outcomes, strict=False)
        if isinstance(row, Row) and outcome.split == "test" and outcome.fate in ("kept", "cut")
    ]


def _compare_rows(row: EncodedRow | str, wanted_row: EncodedRow, limit: int) -> str:
    """Return how the tokens of a row differ from those of the run; empty if they do not."""
    if isinstance(row, str):
        return row
    for side, wanted_side in zip(row.truncate(limit).sides, wanted_row.sides, strict=True):
        if side.input_ids != wanted_side.input_ids:
            return describe_difference(side.input_ids, wanted_side.input_ids)
    return ""


def describe_difference(ids: list[int] | str, wanted_ids: list[int] | str) -> str:
    """Return how tokens, or a reason for none, differ from those of the run."""
    if isinstance(ids, str) or isinstance(wanted_ids, str):
        reason = ids if isinstance(ids, str) else wanted_ids
        return f"cannot be rendered: {reason}"
    place = next((n for n, pair in enumerate(zip(ids, wanted_ids, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return f"has {len(ids)} tokens, and {len(wanted_ids)} in the run"
    return f"has token {ids[place]} at place {place}, and {wanted_ids[place]} in the run"


def encode_prompt(row: Row, tokenizer: Any) -> list[int] | str:
    """Return the tokens of a chat up to its last answer as a server renders it, or why that is impossible."""
    turns = next(list_forms(row.messages))[:-1] if row.messages else []
    if not turns:
        return []
    try:
        text = rendering.render(tokenizer, turns, tools=row.tools, prompt=True).text
    except (rendering.ChatRefusal, DataError) as error:
        return str(error)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _check_end_tokens(model_folder: Path, own: Any, ends: dict[int, str]) -> Check:
    from transformers import GenerationConfig

    name = "end of the answer"
    if not ends:
        return Check(name, "not checked", "no trained answer ends in a special token")
    try:
        stop = GenerationConfig.from_pretrained(model_folder).eos_token_id
    except (OSError, ValueError) as error:
        return Check(name, "failed", f"the model has no readable generation_config.json: {error}")
    stops = stop if isinstance(stop, list) else [] if stop is None else [stop]
    for end, text in ends.items():
        what = f"the trained answers end with {text} ({end})"
        if end not in stops:
            return Check(
                name,
                "failed",
                f"{what}, and the generation config stops at {_join(stops)}: no answer would end",
            )
        if end not in own.all_special_ids or own.convert_ids_to_tokens(end) != text:
            return Check(name, "failed", f"{what}, which is no special token of the tokenizer")
    texts = ", ".join(f"{text} ({end})" for end, text in ends.items())
    return Check(name, "passed", f"generation config and tokenizer have the trained end token {texts}")


def _join(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "nothing"


def _check_loss(folder: Path, model_folder: Path, spec: RunSpec, *, is_dequantised: bool) -> Check:
    """Compare the loss with the adapter's on the base that the export has."""
    name = "held-out loss"
    data = dataset.open_dataset(folder / "data")
    rows = preferences.list_sequences(
        evaluate.read_held_out(data, spec.evaluation.rows), spec.method.objective
    )
    if not rows:
        return Check(name, "not checked", "the run has no held-out rows")
    dtype = str(spec.training.dtype)
    losses = record.read_record(folder).losses.get("held_out", {})
    own, other = ("adapter_quantised", "adapter") if is_dequantised else ("adapter", "adapter_quantised")
    adapter_loss = losses.get(own) if spec.method.objective == "sft" else None
    if adapter_loss is None:
        adapter_loss = measure_loss(
            evaluate.load_model(folder, spec, is_quantised=is_dequantised), rows, "adapter"
        )
        evaluate.release_memory()
    loss = measure_loss(evaluate.load_whole_model(model_folder, spec), rows, "merged model")
    evaluate.release_memory()
    difference, bound = abs(loss - adapter_loss), find_loss_bound(dtype)
    base = " on the 4-bit base" if is_dequantised else ""
    result = (
        f"{loss:.4f}, and {adapter_loss:.4f} with the adapter{base}: difference {difference:.1e}, "
        f"bound {bound:.1e} ({dtype})"
    )
    if other in losses:
        what = "16- or 32-bit base" if is_dequantised else "4-bit base that it was trained on"
        result += f"; {losses[other]:.4f} with the {what} ({loss - losses[other]:+.4f})"
    return Check(name, "passed" if difference <= bound else "failed", result)


def measure_loss(model: Any, rows: list[EncodedRow], name: str) -> float:
    """Return the mean -log p of a trained token; ``name`` says in the progress whose loss it is."""
    return compute_mean_loss(score_rows(model, rows, 0, count_rows(f"loss of the {name}", len(rows))))
