"""One evaluator for all stacks: `python -m finetune.after.evaluate RUN`, a fresh process.

Loss is token-weighted: the sum of -log p over all trained tokens of the held-out rows, divided by their
number; perplexity is its exponential. `preferences` has the figures of preferences. The base model is the
same object with the adapter switched off, so the adapter is the only difference. For a QLoRA run this
evaluates both bases: first the quantised one that the adapter was trained on, then the 16- or 32-bit one
that a merge uses, if it fits into the free memory. Only one model is in memory at a time.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.after import preferences, task
from finetune.after.losses import Scores, compute_mean_loss, score_rows
from finetune.child_progress import begin, count_rows
from finetune.data import dataset
from finetune.data.template import load_tokenizer
from finetune.machine import hardware, memory
from finetune.runners.emit import IGNORE_INDEX
from finetune.runners.gpu_errors import find_gpu_error
from finetune.spec import RunSpec
from finetune.weights import base

if TYPE_CHECKING:
    from finetune.data.encoded_row import EncodedRow

_ORDER = ("base", "adapter", "base_quantised", "adapter_quantised")


@dataclass(frozen=True)
class JudgedModel:
    """A model to load, and the losses that it gives.

    Attributes:
        losses: names of its losses; those that begin with ``base`` are without the adapter.
        is_quantised: whether the base has 4 bits.
        is_trained: whether it has the adapter, or is the trained model of ``full``.
    """

    losses: tuple[str, ...]
    is_quantised: bool = False
    is_trained: bool = True


def list_models(spec: RunSpec) -> tuple[JudgedModel, ...]:
    """Return the models of a run in the order of their evaluation."""
    if spec.method.name == "full":
        return JudgedModel(("adapter",)), JudgedModel(("base",), is_trained=False)
    plain = JudgedModel(("base", "adapter"))
    if spec.method.name == "qlora":
        return JudgedModel(("base_quantised", "adapter_quantised"), is_quantised=True), plain
    return (plain,)


def evaluate_run(folder: Path) -> dict[str, Any]:
    """Evaluate a run's adapter, and write the result to ``RUN/evaluation.json``.

    Returns:
        ``losses`` (``base`` → loss, ``adapter`` → loss, and the same with ``_quantised``), ``not_judged``
        (name of a loss → why it and its pair are missing), ``tokens``, ``rows``, ``perplexity``, or
        ``preferences`` (name → figures), ``generations`` (question, wanted, base, adapter), ``task`` (see
        `task.judge`) and ``seconds``.
    """
    began = time.monotonic()
    spec = record.read_spec(folder, record.read_record(folder))
    data = dataset.open_dataset(folder / "data")
    rows = read_held_out(data, spec.evaluation.rows)
    tokenizer = load_tokenizer(str(folder / "adapter"), trust_remote_code=spec.model.trust_remote_code)
    models, shortages = select_models(spec, int(data.summary["longest"]))
    questions = _select_questions(data, tokenizer, spec)
    scores, answers = _judge_models(models, shortages, folder, spec, rows, tokenizer, questions)
    losses, figures = _summarise(scores, rows, spec)
    task.write_answers(folder, questions)
    result = {
        "rows": len(rows),
        "losses": {name: losses[name] for name in _ORDER if name in losses},
        "not_judged": shortages,
        "tokens": sum(count for _, count in next(iter(scores.values()), [])),
        **figures,
        "generations": _pair_answers(data, tokenizer, spec, answers),
        "task": task.judge(questions),
        "seconds": round(time.monotonic() - began, 1),
    }
    record.write_text(folder / "evaluation.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return result


def _select_questions(data: dataset.Dataset, tokenizer: Any, spec: RunSpec) -> task.Questions:
    if spec.method.objective != "sft":
        return task.Questions(reason="a preference says which answer is better, not which one is right")
    return task.select_questions(data, tokenizer, spec.evaluation)


def _summarise(
    scores: Mapping[str, Scores], rows: list[EncodedRow], spec: RunSpec
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the losses of the models, and their perplexity or their figures about preferences."""
    if spec.method.objective == "sft":
        losses = {name: compute_mean_loss(values) for name, values in scores.items()}
        return losses, {
            "perplexity": {name: math.exp(min(loss, 700)) for name, loss in losses.items() if rows}
        }
    log_probabilities = {name: [-total for total, _ in values] for name, values in scores.items()}
    losses, figures = preferences.compare_models(rows, spec.method, log_probabilities)
    return losses, {"preferences": figures}


def select_models(spec: RunSpec, longest: int) -> tuple[tuple[JudgedModel, ...], dict[str, str]]:
    """Return the models that fit, and why the others are not judged, by their first loss.

    The first model must fit into the whole GPU: if other programs use it now, the evaluation fails and
    ``--resume`` repeats it. A model after it must fit into the free memory.
    """
    models = list_models(spec)
    shape = base.read_shape(
        base.read_model_config(
            spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
        )
    )
    room = hardware.read_room(spec.devices.kind)
    if shape is None or room is None:
        return models, {}
    length = min(longest, spec.data.max_length)
    fitting_models, shortages = [], {}
    for model in models:
        need = memory.predict_evaluation(shape, spec, length, is_quantised=model.is_quantised)
        is_first = model is models[0]
        if is_first and spec.devices.kind != "cuda":
            limit, what = need, ""
        else:
            limit, what = (room.total, "are there") if is_first else (room.free, "are free")
        if need <= limit:
            fitting_models.append(model)
        else:
            sizes = f"needs {need / 2**30:.1f} GiB, and {limit / 2**30:.1f} GiB {what}"
            shortages[model.losses[0]] = f"{_name_model(spec, model)} {sizes}"
    return tuple(fitting_models), shortages


def _name_model(spec: RunSpec, model: JudgedModel) -> str:
    if spec.method.name == "full" and model.is_trained:
        return "the trained model"
    width = "4-bit" if model.is_quantised else "32-bit" if spec.training.dtype == "float32" else "16-bit"
    return f"the {width} base"


def release_memory() -> None:
    """Free what nothing refers to; PEFT's models have cycles, and torch keeps freed GPU memory."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _judge_models(
    models: tuple[JudgedModel, ...],
    shortages: dict[str, str],
    folder: Path,
    spec: RunSpec,
    rows: list[EncodedRow],
    tokenizer: Any,
    questions: task.Questions,
) -> tuple[dict[str, Scores], dict[str, list[str]]]:
    """Return the scores and the answers of all models; one that does not fit is not judged."""
    scores: dict[str, Scores] = {}
    answers: dict[str, list[str]] = {}
    sequences = preferences.list_sequences(rows, spec.method.objective)
    for model in models:
        has_answers = model is models[-1] or not model.is_quantised
        try:
            scores |= _judge_model(
                model, folder, spec, sequences, tokenizer, answers, questions, has_answers=has_answers
            )
        except RuntimeError as error:
            if model is models[0] or find_gpu_error(str(error)) != "out_of_memory":
                raise
            shortages[model.losses[0]] = f"{_name_model(spec, model)} needs more than the free memory"
        finally:
            release_memory()
    return scores, answers


def _judge_model(
    choice: JudgedModel,
    folder: Path,
    spec: RunSpec,
    rows: list[EncodedRow],
    tokenizer: Any,
    answers: dict[str, list[str]],
    questions: task.Questions,
    *,
    has_answers: bool,
) -> dict[str, Scores]:
    """Return the scores of one model, and add its answers; nothing refers to the model afterwards."""
    begin("load the model")
    model = load_model(folder, spec, is_quantised=choice.is_quantised, is_trained=choice.is_trained)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    scores = {}
    for name in choice.losses:
        with _without_adapter(model, spec) if name.startswith("base") else nullcontext():
            scores[name] = score_rows(model, rows, pad, count_rows(f"loss of the {name}", len(rows)))
            if has_answers:
                short_name = name.removesuffix("_quantised")
                begin(f"sample answers of the {short_name}")
                answers[short_name] = _generate_answers(model, tokenizer, folder, spec)
                on_rows = count_rows(f"answers of the {short_name}", len(questions.prompts))
                questions.answers[short_name] = task.answer_questions(model, tokenizer, questions, on_rows)
    return scores


def read_held_out(data: dataset.Dataset, limit: int) -> list[EncodedRow]:
    """Return the first held-out rows, at most ``limit``."""
    rows: list[EncodedRow] = []
    for row in data.read_rows("test"):
        if len(rows) == limit:
            break
        rows.append(row)
    return rows


def load_model(folder: Path, spec: RunSpec, *, is_quantised: bool, is_trained: bool = True) -> Any:
    """Return the base model with the run's adapter (or the ``full`` trained model) in evaluation mode.

    Args:
        folder: the run's folder.
        spec: the run.
        is_quantised: whether to load the base in 4 bits.
        is_trained: false for the base model alone.
    """
    from peft import PeftModel

    if spec.method.name == "full" and is_trained:
        return load_whole_model(folder / "adapter", spec)
    model = _load_base(spec, is_quantised=is_quantised)
    return PeftModel.from_pretrained(model, folder / "adapter").eval() if is_trained else model


def load_from_4_bits(folder: Path, spec: RunSpec) -> Any:
    """Return the adapter on the quantised base whose weights are converted back to the run's dtype."""
    import torch
    from peft import PeftModel

    model = _load_base(spec, is_quantised=True).dequantize(dtype=getattr(torch, str(spec.training.dtype)))
    return PeftModel.from_pretrained(model, folder / "adapter").eval()


def _load_base(spec: RunSpec, *, is_quantised: bool) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    extra: dict[str, Any] = {"revision": spec.model.revision}
    if is_quantised:
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=spec.quantisation.type,
            bnb_4bit_use_double_quant=spec.quantisation.double,
            bnb_4bit_compute_dtype=getattr(torch, str(spec.training.dtype)),
        )
    return load_whole_model(spec.model.base, spec, **extra)


def load_whole_model(name: str | Path, spec: RunSpec, **extra: Any) -> Any:
    """Return a model that has all its weights itself, in the run's dtype and on its device."""
    import torch
    from transformers import AutoModelForCausalLM

    if spec.devices.kind == "cuda":
        extra["device_map"] = {"": 0}
    return AutoModelForCausalLM.from_pretrained(
        name,
        dtype=getattr(torch, str(spec.training.dtype)),
        trust_remote_code=spec.model.trust_remote_code,
        **extra,
    ).eval()


def _without_adapter(model: Any, spec: RunSpec) -> AbstractContextManager[None]:
    """Return the context in which the model is its base; the base of a ``full`` run is a model of its own."""
    return nullcontext() if spec.method.name == "full" else model.disable_adapter()


def _generate_answers(model: Any, tokenizer: Any, folder: Path, spec: RunSpec) -> list[str]:
    """Return the model's greedy answers to the first held-out questions."""
    rows = read_held_out(dataset.open_dataset(folder / "data"), spec.evaluation.generations)
    limit = spec.evaluation.max_new_tokens
    return [generate_text(model, tokenizer, row.input_ids[: find_answer(row)], limit) for row in rows]


def find_answer(row: EncodedRow) -> int:
    """Return where the answer of a row starts; the second half of a plain text is its answer."""
    first = next(i for i, label in enumerate(row.labels) if label != IGNORE_INDEX)
    return first or max(1, len(row.input_ids) // 2)


def _pair_answers(
    data: dataset.Dataset, tokenizer: Any, spec: RunSpec, answers: dict[str, list[str]]
) -> list[dict[str, str]]:
    """Return each question with the wanted answer and those of base and adapter; nothing without both."""
    pair = [answers[name] for name in ("base", "adapter") if name in answers]
    if len(pair) < 2:
        return []
    rows = read_held_out(data, spec.evaluation.generations)
    return [
        {
            "question": tokenizer.decode(row.input_ids[: find_answer(row)], skip_special_tokens=True),
            "wanted": tokenizer.decode(row.input_ids[find_answer(row) :], skip_special_tokens=True).strip(),
            "base": base_answer,
            "adapter": adapter_answer,
        }
        for row, base_answer, adapter_answer in zip(rows, *pair, strict=True)
    ]


def generate_text(model: Any, tokenizer: Any, prompt: list[int], max_new_tokens: int) -> str:
    """Return the model's greedy continuation, without the prompt."""
    import torch

    ids = torch.tensor([prompt]).to(model.device)
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id
            if tokenizer.pad_token_id is not None
            else tokenizer.eos_token_id,
        )
    new = out[0, len(prompt) :] if out.shape[1] > len(prompt) else out[0]
    return str(tokenizer.decode(new, skip_special_tokens=True)).strip()


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    result = evaluate_run(Path(sys.argv[1]))
    print(json.dumps(result["losses"]))
