"""Base models compared on the rows of a user: tokens, template, licence, memory; no model is loaded.

What a model card says (licence, languages, data) comes from the metadata of its README.md; what it does not
say is unknown. No figure here says how good a model is: `finetune.study.probe` measures that.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finetune import run
from finetune.callbacks import RunCallbacks
from finetune.data.rendering import ChatRefusal, render
from finetune.data.rows import Row, read_rows
from finetune.errors import DataError
from finetune.machine import memory
from finetune.sections import Data
from finetune.spec import ComposedSpec, override_fields
from finetune.study.probe import choose_template
from finetune.weights import base

METHODS = ("qlora", "lora", "full")
UNKNOWN = "unknown"
FEW_ROWS = 1000  # of chats: fewer do not teach a base model a chat format
_IDENTIFIER = re.compile(r"\b(?=\w*[A-Za-z])(?:\w*[a-z][A-Z]\w*|\w+_\w+|\w*[A-Za-z]\d\w*|\w*\d[A-Za-z]\w*)\b")
_MOST_EXAMPLES, _SAMPLE_ROWS = 3, 2000


@dataclass(frozen=True)
class Base:
    """The facts about one base for these rows.

    Attributes:
        name: hub id, or name of the folder.
        kind: ``instruct`` if it has a chat template, else ``base``.
        parameters, context: number of weights and of tokens; None: unknown.
        tokens_per_word: tokens of the texts over their words.
        tokens_per_row, longest: median and largest number of tokens of a row, with the chat format.
        over_context: share of rows that are longer than the context.
        tokens_per_identifier: mean tokens of names such as ``user_id``; None: the rows have none.
        split_identifiers: the names that become the most tokens, as ``name (tokens)``.
        rows_with_special_tokens: rows whose text contains a special token, which a model would obey.
        quirks: what the chat template does that you may not expect.
        licence, languages, data, access: from the model card and the hub; ``unknown`` if they do not say.
        memory_bytes: method → predicted peak of the training on this machine's kind of device.
    """

    name: str
    kind: str
    parameters: int | None
    context: int | None
    tokens_per_word: float
    tokens_per_row: float
    longest: int
    over_context: float
    tokens_per_identifier: float | None
    split_identifiers: tuple[str, ...]
    rows_with_special_tokens: int
    quirks: tuple[str, ...]
    licence: str
    languages: str
    data: str
    access: str
    memory_bytes: dict[str, int]


def compare_bases(specs: Sequence[ComposedSpec], callbacks: RunCallbacks) -> tuple[Base, ...]:
    """Describe the base of each spec.

    Raises:
        InputError: the data or a model cannot be used.
    """
    return tuple(_describe_base(spec, callbacks) for spec in specs)


def _describe_base(composed_spec: ComposedSpec, callbacks: RunCallbacks) -> Base:
    template = choose_template(composed_spec.spec)
    plan = run.plan_run(override_fields(composed_spec, "bases", {"data.template": template}), callbacks)
    spec, tokenizer = plan.spec, plan.tokenizer
    texts = list_texts(spec.data)
    words = sum(len(text.split()) for text in texts)
    tokens = sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    counts = count_identifiers(texts, tokenizer)
    lengths = [outcome.tokens for outcome in plan.data.outcomes if outcome.tokens]
    model_config = base.read_model_config(
        spec.model.base, spec.model.revision, trust_remote_code=spec.model.trust_remote_code
    )
    context = (model_config.get("text_config") or model_config).get("max_position_embeddings")
    longest_split = sorted(counts, key=lambda name: (-counts[name], name))[:_MOST_EXAMPLES]
    card, access = read_card(spec.model.base, spec.model.revision)
    return Base(
        name=base.public_name(spec.model.base),
        kind="base" if template == "alpaca" else "instruct",
        parameters=plan.shape.parameters if plan.shape else None,
        context=context,
        tokens_per_word=tokens / max(1, words),
        tokens_per_row=statistics.median(lengths),
        longest=max(lengths),
        over_context=sum(length > context for length in lengths) / len(lengths) if context else 0.0,
        tokens_per_identifier=statistics.mean(counts.values()) if counts else None,
        split_identifiers=tuple(f"{name} ({counts[name]})" for name in longest_split),
        rows_with_special_tokens=count_special_tokens(texts, tokenizer),
        quirks=find_quirks(tokenizer) if template == "auto" else (),
        licence=_join(card.get("license")),
        languages=_join(card.get("language")),
        data=_join(card.get("datasets")),
        access=access,
        memory_bytes=_predict(plan),
    )


def list_texts(data: Data) -> list[str]:
    """Return question and answer of the first rows as one text each.

    Raises:
        DataError: there is no usable row.
    """
    rows = (row for row in read_rows(data.train, data.format, data.ignored_columns) if isinstance(row, Row))
    texts = [_join_turns(row) for row, _ in zip(rows, range(_SAMPLE_ROWS), strict=False)]
    if not texts:
        raise DataError(f"{data.train} has no usable row")
    return texts


def _join_turns(row: Row) -> str:
    return "\n".join(turn.text for turn in row.messages) or row.text or f"{row.prompt}{row.completion}"


def count_identifiers(texts: Sequence[str], tokenizer: Any) -> dict[str, int]:
    """Return each name of a program or a code in the texts with its number of tokens, after a space."""
    plain_texts = (_remove_marks(text, tokenizer) for text in texts)
    names = sorted({name for text in plain_texts for name in _IDENTIFIER.findall(text)})
    if not names:
        return {}
    ids = tokenizer([f" {name}" for name in names], add_special_tokens=False)["input_ids"]
    return {name: len(tokens) for name, tokens in zip(names, ids, strict=True)}


def count_special_tokens(texts: Sequence[str], tokenizer: Any) -> int:
    """Return how many texts contain a special token, such as the end of a turn."""
    marks = [mark for mark in tokenizer.all_special_tokens if mark.strip()]
    return sum(any(mark in text for mark in marks) for text in texts)


def find_quirks(tokenizer: Any) -> tuple[str, ...]:
    """Return what the chat template does that a user may not expect."""
    user = {"role": "user", "content": "Question-1?"}
    answer = {"role": "assistant", "content": "Answer-1."}
    tool = {
        "type": "function",
        "function": {"name": "tool_1", "parameters": {"type": "object", "properties": {}}},
    }
    quirks = []
    plain = _render(tokenizer, [user, answer])
    if plain is None:
        return ("refuses even a question with an answer",)
    before = plain.partition("Question-1?")[0]
    if re.search(r"[A-Za-z]{4,}\W+[A-Za-z]+\W+[A-Za-z]{2,}", _remove_marks(before, tokenizer)):
        quirks.append("adds a system text of its own")
    system = _render(tokenizer, [{"role": "system", "content": "System-1."}, user, answer])
    if system is None or "System-1." not in system:
        quirks.append("refuses a system text" if system is None else "drops a system text")
    if "tool_1" not in (_render(tokenizer, [user, answer], tools=[tool]) or ""):
        quirks.append("has no tools")
    if _render(tokenizer, [user, answer, user, answer]) is None:
        quirks.append("refuses several turns")
    return tuple(quirks)


def _remove_marks(text: str, tokenizer: Any) -> str:
    for mark in tokenizer.all_special_tokens:
        text = text.replace(mark, "\n")
    return text


def _render(tokenizer: Any, turns: list[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> str | None:
    try:
        return render(tokenizer, turns, tools=tools).text
    except (ChatRefusal, DataError):
        return None


def read_card(name: str, revision: str | None) -> tuple[dict[str, Any], str]:
    """Return the metadata of a model card, and who may download the model."""
    folder = base.find_folder(name)
    if folder is not None:
        return _parse_card(folder / "README.md"), "local folder"
    from huggingface_hub import hf_hub_download, model_info

    try:
        gate = model_info(name, revision=revision).gated
        path = Path(hf_hub_download(name, "README.md", revision=revision))
    except Exception:  # noqa: BLE001 - the hub's client raises many types
        return {}, UNKNOWN
    return _parse_card(path), f"gated ({gate})" if gate else "free to download"


def _parse_card(path: Path) -> dict[str, Any]:
    try:
        match = re.match(r"---\s*\n(.*?)\n---", path.read_text("utf-8"), re.DOTALL)
        metadata = yaml.safe_load(match[1]) if match else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _join(value: Any) -> str:
    values = value if isinstance(value, list) else [value] if value else []
    return ", ".join(map(str, values)) or UNKNOWN


def _predict(plan: run.Plan) -> dict[str, int]:
    """Return the predicted peak for each method."""
    if plan.shape is None:
        return {}
    predictions = {}
    for name in METHODS:
        values = {"method.name": name, "method.rslora": False, "method.dora": False}
        spec = override_fields(plan.composed_spec, "bases", values).spec
        file_bytes = memory.count_file_bytes(plan.spec.model.base)
        longest = int(plan.data.summary["longest"])
        predictions[name] = memory.predict_memory(plan.shape, spec, longest, file_bytes).total
    return predictions


def advise_kind(rows: int, kinds: Sequence[str]) -> str:
    """Return whether a base or an instruct model suits so many rows, and why."""
    if "instruct" not in kinds:
        return (
            "none of these is an instruct model; the base models learn the chat format from your rows alone"
        )
    if rows < FEW_ROWS:
        return (
            f"instruct: {rows:,} rows are too few to teach a base model to end its turn and to follow a chat"
        )
    return (
        f"either: {rows:,} rows are enough for a base model, which has less to forget; an instruct model "
        "needs fewer of them"
    )
