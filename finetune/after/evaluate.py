"""One evaluator for all stacks: `python -m finetune.after.evaluate RUN`, a fresh process.

Loss is token-weighted: the sum of -log p over all trained tokens of the held-out rows, divided by their
number; perplexity is its exponential. The base model is the same object with the adapter switched off, so the
adapter is the only difference. For a QLoRA run this evaluates both bases: the 16- or 32-bit one that a merge
uses, and the quantised one that the adapter was trained on.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune import record
from finetune.data import dataset
from finetune.data.template import load_tokenizer
from finetune.runners.emit import IGNORE_INDEX
from finetune.spec import RunSpec

if TYPE_CHECKING:
    from finetune.data.template import EncodedRow

_BATCH_TOKENS = 1024


def evaluate_run(folder: Path) -> dict[str, Any]:
    """Evaluate a run's adapter, and write the result to ``RUN/evaluation.json``.

    Returns:
        ``losses`` (``base`` → loss, ``adapter`` → loss, and the same with ``_quantised``), ``tokens``,
        ``rows``, ``perplexity``, ``generations`` (question, wanted, base, adapter) and ``seconds``.
    """
    began = time.monotonic()
    spec = record.read_spec(folder, record.read_record(folder))
    rows = read_held_out(dataset.open_dataset(folder / "data"), spec.evaluation.rows)
    result: dict[str, Any] = {"rows": len(rows), "losses": {}}
    tokenizer = load_tokenizer(str(folder / "adapter"), trust_remote_code=spec.model.trust_remote_code)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    for suffix, is_quantised in (("", False), ("_quantised", True)):
        if is_quantised and spec.method.name != "qlora":
            continue
        model = load_model(folder, spec, is_quantised=is_quantised)
        for name, switch in (("base", _without_adapter(model, spec)), ("adapter", nullcontext())):
            with switch as other_model:
                loss, tokens = measure_loss(model if other_model is None else other_model, rows, pad)
            result["losses"][name + suffix] = loss
            result["tokens"] = tokens
        if not is_quantised:
            result["generations"] = _generate_answers(model, tokenizer, folder, spec)
        del model
    result["perplexity"] = {name: math.exp(min(loss, 700)) for name, loss in result["losses"].items() if rows}
    result["seconds"] = round(time.monotonic() - began, 1)
    record.write_text(folder / "evaluation.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return result


def read_held_out(data: dataset.Dataset, limit: int) -> list[EncodedRow]:
    """Return the first held-out rows, at most ``limit``."""
    rows: list[EncodedRow] = []
    for row in data.read_rows("test"):
        if len(rows) == limit:
            break
        rows.append(row)
    return rows


def load_model(folder: Path, spec: RunSpec, *, is_quantised: bool) -> Any:
    """Return the base model with the run's adapter (or the ``full`` trained model) in evaluation mode."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, str(spec.training.dtype))
    extra: dict[str, Any] = {"device_map": {"": 0}} if spec.devices.kind == "cuda" else {}
    if is_quantised:
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=spec.quantisation.type,
            bnb_4bit_use_double_quant=spec.quantisation.double,
            bnb_4bit_compute_dtype=dtype,
        )
    if spec.method.name == "full":
        return AutoModelForCausalLM.from_pretrained(folder / "adapter", dtype=dtype, **extra).eval()
    base = AutoModelForCausalLM.from_pretrained(
        spec.model.base,
        revision=spec.model.revision,
        dtype=dtype,
        trust_remote_code=spec.model.trust_remote_code,
        **extra,
    )
    return PeftModel.from_pretrained(base, folder / "adapter").eval()


def _without_adapter(model: Any, spec: RunSpec) -> Any:
    if spec.method.name != "full":
        return _WithoutValue(model.disable_adapter())
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        spec.model.base, revision=spec.model.revision, dtype=model.dtype
    )
    return nullcontext(base.to(model.device).eval())


class _WithoutValue:
    """A context manager around another one, which returns None instead of its value."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __enter__(self) -> None:
        self.inner.__enter__()

    def __exit__(self, *why: object) -> None:
        self.inner.__exit__(*why)


def measure_loss(model: Any, rows: list[EncodedRow], pad: int) -> tuple[float, int]:
    """Return the mean -log p of a trained token (NaN without one), and the number of these tokens."""
    import torch

    total, count = 0.0, 0
    for batch in batch_by_length(rows):
        longest = max(len(row.input_ids) for row in batch)
        ids = torch.tensor([row.input_ids + [pad] * (longest - len(row.input_ids)) for row in batch])
        attention_mask = torch.tensor(
            [[1] * len(row.input_ids) + [0] * (longest - len(row.input_ids)) for row in batch]
        )
        labels = torch.tensor([row.labels + [IGNORE_INDEX] * (longest - len(row.labels)) for row in batch])
        with torch.no_grad():
            logits = model(
                input_ids=ids.to(model.device), attention_mask=attention_mask.to(model.device)
            ).logits
        logits = logits[:, -longest:][:, :-1]  # prompt tuning puts virtual tokens before the row's own
        targets = labels[:, 1:].to(logits.device)
        mask = targets != IGNORE_INDEX
        loss = torch.nn.functional.cross_entropy(logits[mask].float(), targets[mask], reduction="sum")
        total += loss.item()
        count += int(mask.sum())
    return (total / count if count else math.nan), count


def batch_by_length(rows: list[EncodedRow]) -> Iterator[list[EncodedRow]]:
    """Yield batches of rows of similar length, with a limited number of tokens (padding included)."""
    batch: list[EncodedRow] = []
    for row in sorted(rows, key=lambda r: len(r.input_ids)):
        if batch and len(row.input_ids) * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _generate_answers(model: Any, tokenizer: Any, folder: Path, spec: RunSpec) -> list[dict[str, str]]:
    """Return greedy answers of base and adapter to the first held-out questions."""
    generations = []
    for row in read_held_out(dataset.open_dataset(folder / "data"), spec.evaluation.generations):
        first = next(i for i, label in enumerate(row.labels) if label != IGNORE_INDEX)
        if first == 0:
            first = max(1, len(row.input_ids) // 2)
        prompt, expected_answer = row.input_ids[:first], row.input_ids[first:]
        answers = {}
        for name, switch in (("base", _without_adapter(model, spec)), ("adapter", nullcontext())):
            with switch as other_model:
                writer = model if other_model is None else other_model
                answers[name] = generate_text(writer, tokenizer, prompt, spec.evaluation.max_new_tokens)
        generations.append(
            {
                "question": tokenizer.decode(prompt, skip_special_tokens=True),
                "wanted": tokenizer.decode(expected_answer, skip_special_tokens=True).strip(),
                **answers,
            }
        )
    return generations


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
