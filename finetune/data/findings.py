"""Findings about data, template and tokenizer: problem, rows, reason, remedy.

An error stops the run; a warning or a note does not. `checks` has the checks, this module their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.callbacks import RunCallbacks
from finetune.data.dataset import Dataset
from finetune.data.encoded_row import EncodedRow
from finetune.data.near import NearRows, find_near_rows
from finetune.data.rows import Row, read_rows
from finetune.spec import RunSpec

Severity = Literal["error", "warning", "note"]
_SAMPLE = 2000
_EXAMPLES = 8


@dataclass(frozen=True)
class Finding:
    """One result of the checks.

    Attributes:
        code: stable name, a key of `WORDS`.
        severity: ``error`` stops the run; ``warning`` and ``note`` do not.
        what: one sentence with the numbers.
        where: source and places of the rows.
        rows: places of all known rows with the problem (line or number in the source).
        why: why it matters.
        remedy: what to do.
    """

    code: str
    severity: Severity
    what: str
    where: str
    rows: tuple[int, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class _Words:
    severity: Severity
    why: str
    remedy: str


WORDS = {
    "truncated": _Words(
        "warning",
        "the model does not learn the end of the answer, nor the token that ends it",
        "increase data.max_length, or set data.too_long = 'drop'",
    ),
    "answer-lost": _Words(
        "warning",
        "the model learns nothing from a row without trained tokens (all its labels are -100)",
        "increase data.max_length, or shorten the prompts",
    ),
    "dropped": _Words(
        "warning",
        "the model does not learn from these rows",
        "increase data.max_length, or set data.too_long = 'truncate'",
    ),
    "misfit": _Words("warning", "the model does not learn from these rows", "correct them"),
    "no-difference": _Words(
        "warning",
        "two equal answers have the same probability, so the model learns nothing from them",
        "delete these rows; if the answers differ only after their first tokens, increase data.max_length",
    ),
    "contradiction": _Words(
        "warning",
        "these rows cancel each other, and the held-out accuracy cannot reach 100 %",
        "keep the right one of each two rows",
    ),
    "lower-score": _Words(
        "warning",
        "the chosen and the rejected answer are probably exchanged, and the model learns the opposite",
        "exchange the answers of these rows, or delete the rows",
    ),
    "longer-answers": _Words(
        "note",
        "a preference for longer answers is the easiest to learn; the model then gives longer answers",
        "add rows whose chosen answer is the shorter one",
    ),
    "unbalanced-labels": _Words(
        "note",
        "KTO gives each row the same weight, so it learns mostly from the more frequent label",
        "delete rows with the more frequent label until it is at most a third more frequent",
    ),
    "one-label": _Words(
        "error",
        "without the other label there is nothing to compare the answers with",
        "add rows with the other label, or train on the good answers with method.objective = 'sft'",
    ),
    "beyond-window": _Words(
        "error",
        "the model has not learned positions beyond its context window; training can crash",
        "set data.max_length to the context window or less",
    ),
    "duplicates": _Words(
        "warning",
        "the model learns repeated rows more strongly, and memorises them",
        "delete the repeated rows",
    ),
    "near-duplicates": _Words(
        "note",
        "most of their three-word sequences are the same",
        "keep one row of each group, or rewrite the others",
    ),
    "overlap": _Words(
        "warning",
        "the held-out loss then measures what the model memorised, not what it learned",
        "delete these rows from the training rows or from the held-out rows",
    ),
    "near-overlap": _Words(
        "warning",
        "the held-out loss then measures what the model memorised, not what it learned",
        "delete these rows from the training rows or from the held-out rows",
    ),
    "end-not-trained": _Words(
        "warning",
        "the model does not learn to stop after its answer",
        "use a chat template that ends each assistant turn with the end-of-turn token",
    ),
    "pad-is-end": _Words(
        "note",
        "a tool that masks padding by its token id also masks the end token; the model then never stops",
        "nothing in advisor, which sets the labels before padding; check this in other tools",
    ),
    "double-bos": _Words(
        "warning",
        "the model has not seen two BOS tokens in its training, and gives worse answers",
        "remove the BOS token from the text of the rows or from the chat template",
    ),
    "no-embedding": _Words(
        "error",
        "the tokenizer does not belong to the model; training would crash",
        "use the tokenizer that comes with the model",
    ),
    "untrained-tokens": _Words(
        "warning",
        "LoRA does not train embeddings, so the model cannot distinguish these tokens",
        "use the instruct model, or a template without these tokens (data.template = 'alpaca')",
    ),
    "special-in-text": _Words(
        "warning",
        "special tokens in the text end a turn or start a new one in the middle of a sentence",
        "remove them from the text; the chat template adds them",
    ),
    "role-order": _Words(
        "warning",
        "most chat templates and models expect user and assistant turns in alternation",
        "merge consecutive turns of the same role, and put the system turn first",
    ),
    "empty-answer": _Words(
        "warning", "the model learns to give empty answers", "fill in or delete these rows"
    ),
    "default-system": _Words(
        "warning",
        "the model learns to answer with this system text; it can answer differently without it",
        "add the system turn that you will use later to the rows, or set another data.template",
    ),
    "few-trained": _Words(
        "note",
        "most of the training time is spent on prompts",
        "shorten the prompts, or train on all tokens (data.loss_on = 'everything')",
    ),
    "instruct-raw": _Words(
        "warning",
        "advisor does not apply the chat template to raw text, so the model can lose its chat ability",
        "write the rows as messages, or use the base model of the family",
    ),
    "base-few-rows": _Words(
        "warning",
        "a base model needs many rows to learn the form of a chat; with fewer than about 1,000 rows an "
        "instruct model gives better results",
        "use the instruct model of the family",
    ),
    "other-senses": _Words(
        "warning",
        "its parts for images or sound stay as they are, and an adapter on their layers learns nothing",
        "set method.targets to layers of its text model, or use another tool to train on images or sound",
    ),
    "no-text-model": _Words(
        "error",
        "advisor trains and evaluates with AutoModelForCausalLM, which refuses this model",
        "use the text model of the family, or another tool",
    ),
    "no-text-training": _Words(
        "error",
        "trl then stops before the first step, because it expects a tokenizer",
        "use the text model of the family, or try --stack axolotl, which trains the text of some such models",
    ),
    "base-or-instruct": _Words(
        "note",
        "with few rows an instruct model learns a style faster; with many rows a base model is more flexible",
        "nothing",
    ),
}


def make_finding(code: str, what: str, where: str, rows: Sequence[int] = ()) -> Finding:
    """Return a finding with the severity, reason and remedy of its code."""
    words = WORDS[code]
    return Finding(code, words.severity, what, where, tuple(rows), words.why, words.remedy)


def count_rows(rows: Collection[object], kind: str = "") -> str:
    """Return ``1 row`` or ``N rows``; ``kind`` is an adjective with a space."""
    return f"{len(rows):,} {kind}row{'s' * (len(rows) != 1)}"


def describe_rows(places: Sequence[int], one: str, many: str, split: str = "train") -> str:
    """Return the number of rows and a verb: ``one`` for one row, else ``many``."""
    count = count_rows(places, "held-out " if split == "test" else "")
    return f"{count} {one if len(places) == 1 else many}"


@dataclass(frozen=True)
class Material:
    """The input of the checks.

    Attributes:
        spec, data, tokenizer: the run, its tokenised data and its tokenizer.
        config: the model's config.json.
        raw: split → place → row of the source.
        token_rows: split → the first rows of the data set, as (place, tokens).
        near: the rows that are nearly the same as another one.
    """

    spec: RunSpec
    data: Dataset
    tokenizer: Any
    config: dict[str, Any]
    raw: dict[str, dict[int, Row]]
    token_rows: dict[str, list[tuple[int, EncodedRow]]]
    near: NearRows

    def where(self, places: Sequence[int], split: str = "train") -> str:
        """Return the source and its places: ``train.jsonl: rows 3, 5, 8 and 4 more``."""
        data = self.spec.data
        source = data.evaluation if split == "test" and data.evaluation else data.train
        examples = ", ".join(map(str, places[:_EXAMPLES]))
        more = f" and {len(places) - _EXAMPLES} more" if len(places) > _EXAMPLES else ""
        return f"{Path(source).name}: row{'s' * (len(places) != 1)} {examples}{more}"

    def places(self, *fates: str, split: str = "train") -> list[int]:
        """Return the places of the rows with one of these fates."""
        return [o.place for o in self.data.outcomes if o.fate in fates and o.split == split]

    def model_setting(self, name: str) -> Any:
        """Return a setting of config.json; of several parts, from the language model."""
        return (self.config.get("text_config") or self.config).get(name)


def gather_material(
    spec: RunSpec,
    data: Dataset,
    tokenizer: Any,
    config: dict[str, Any],
    callbacks: RunCallbacks = RunCallbacks(),
) -> Material:
    """Read the rows of the source and their tokens, and compare the rows."""
    callbacks.on_stage("check the data")
    raw = _read_sources(spec, data, callbacks.on_rows)
    token_rows = {}
    for split in ("train", "test"):
        places = [o.place for o in data.outcomes if o.split == split and o.fate in ("kept", "cut")]
        sample = (row for row, _ in zip(data.read_rows(split), range(_SAMPLE), strict=False))
        token_rows[split] = list(zip(places, sample, strict=False))
    callbacks.on_stage("look for rows that are nearly the same")
    near = find_near_rows(raw, callbacks.on_rows)
    return Material(spec, data, tokenizer, config, raw, token_rows, near)


def _read_sources(spec: RunSpec, data: Dataset, progress: Callable[[int], None]) -> dict[str, dict[int, Row]]:
    raw: dict[str, dict[int, Row]] = {"train": {}, "test": {}}
    test_places = set() if spec.data.evaluation else {o.place for o in data.outcomes if o.split == "test"}
    sources = [("train", spec.data.train)]
    sources += [("test", spec.data.evaluation)] if spec.data.evaluation else []
    count = 0
    for split, source in sources:
        for row in read_rows(source, spec.data.format, spec.data.ignored_columns):
            if isinstance(row, Row):
                raw["test" if row.place in test_places else split][row.place] = row
            count += 1
            progress(count)
    return raw
