"""Findings on data, template and tokenizer: what, which rows, why it matters, what to do.

An error stops the run; a warning and a note do not. The checks are in `checks`, their words here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.data.dataset import Dataset
from finetune.data.rows import Row, read
from finetune.data.template import Encoded
from finetune.spec import RunSpec

Severity = Literal["error", "warning", "note"]
_SAMPLE = 2000
_SHOWN = 8


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        code: stable name, a key of `WORDS`.
        what: one sentence with the numbers in it.
        where: the rows, as source and places.
        rows: all places concerned (line or number in the source), as far as they can be named.
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
        "the end of the answer, and its end token, are not learnt",
        "raise data.max_length, or set data.too_long = 'drop'",
    ),
    "answer-lost": _Words(
        "warning",
        "a row without a trained token teaches nothing ('all labels are -100')",
        "raise data.max_length or shorten the prompts",
    ),
    "dropped": _Words(
        "warning",
        "they are not learnt from",
        "raise data.max_length, or set data.too_long = 'truncate'",
    ),
    "misfit": _Words("warning", "they are not learnt from", "mend them"),
    "beyond-window": _Words(
        "error",
        "positions beyond the window were never learnt, or crash",
        "set data.max_length to the window or less",
    ),
    "duplicates": _Words(
        "warning",
        "what stands there twice is learnt twice as strongly, and by heart",
        "delete the repetitions",
    ),
    "near-duplicates": _Words(
        "note", "most of their three-word runs are the same", "keep one of each, or rewrite"
    ),
    "overlap": _Words(
        "warning",
        "the held-out loss then measures memory, not learning",
        "take these rows out of one side",
    ),
    "near-overlap": _Words(
        "warning",
        "the held-out loss then measures memory, not learning",
        "take these rows out of one side",
    ),
    "end-not-trained": _Words(
        "warning",
        "the model then never learns to stop",
        "use a template whose assistant turn ends in the end-of-turn token",
    ),
    "pad-is-end": _Words(
        "note",
        "tools that mask the padding by its id then mask the end token too, and the model never stops",
        "nothing here: the labels are laid before padding. Mind it when the data go elsewhere",
    ),
    "double-bos": _Words(
        "warning",
        "the model never saw that in its training, and answers worse",
        "take the token out of the rows' text or out of the template",
    ),
    "no-embedding": _Words(
        "error",
        "the tokenizer is not the model's own; training would crash",
        "use the tokenizer that came with the weights",
    ),
    "untrained-tokens": _Words(
        "warning",
        "LoRA does not train embeddings, so the model cannot tell these tokens apart",
        "take the instruct model, or a template made of trained tokens (data.template = 'alpaca')",
    ),
    "special-in-text": _Words(
        "warning",
        "they end turns or begin new ones in the middle of a sentence",
        "the template writes them: give the bare turns",
    ),
    "role-order": _Words(
        "warning",
        "most templates and models know no other order",
        "merge neighbours of one role; put the system turn first",
    ),
    "empty-answer": _Words("warning", "the model learns to say nothing", "fill or delete them"),
    "default-system": _Words(
        "warning",
        "the model learns your answers under that text; without it they may not come",
        "write the system turn that you will use later into the rows, or name another data.template",
    ),
    "few-trained": _Words(
        "note",
        "the time goes into reading prompts",
        "shorten the prompts, or train on everything (data.loss_on = 'everything')",
    ),
    "instruct-raw": _Words(
        "warning",
        "the template is not applied to them, so the chat ability may suffer",
        "write the rows as messages, or take the base model of the family",
    ),
    "base-few-rows": _Words(
        "warning",
        "a base model learns the form of a chat only from many rows; below about a thousand an instruct "
        "model does better",
        "take the instruct model of the family",
    ),
    "base-or-instruct": _Words(
        "note",
        "with few rows an instruct model learns a style faster, with many a base model is freer",
        "nothing",
    ),
}


def found(code: str, what: str, where: str, rows: Sequence[int] = ()) -> Finding:
    """A finding of this code, with its words."""
    words = WORDS[code]
    return Finding(code, words.severity, what, where, tuple(rows), words.why, words.remedy)


@dataclass(frozen=True)
class Material:
    """What the checks look at.

    Attributes:
        raw: split → place → row of the source.
        encoded: split → the first rows that were kept, as (place, tokens).
    """

    spec: RunSpec
    data: Dataset
    tokenizer: Any
    config: dict[str, Any]
    raw: dict[str, dict[int, Row]]
    encoded: dict[str, list[tuple[int, Encoded]]]

    def where(self, places: Sequence[int], split: str = "train") -> str:
        """``train.jsonl: rows 3, 5, 8 and 4 more``."""
        data = self.spec.data
        own = data.evaluation if split == "test" and data.evaluation else data.train
        shown = ", ".join(map(str, places[:_SHOWN]))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return f"{Path(own).name}: row{'s' * (len(places) != 1)} {shown}{more}"

    def places(self, *fates: str, split: str = "train") -> list[int]:
        """Rows of these fates."""
        return [o.place for o in self.data.outcomes if o.fate in fates and o.split == split]

    def model_setting(self, name: str) -> Any:
        """Of config.json; of the language part where the model has several."""
        return (self.config.get("text_config") or self.config).get(name)


def gather(spec: RunSpec, data: Dataset, tokenizer: Any, config: dict[str, Any]) -> Material:
    """Read rows and tokens together."""
    raw: dict[str, dict[int, Row]] = {"train": {}, "test": {}}
    held = set() if spec.data.evaluation else {o.place for o in data.outcomes if o.split == "test"}
    for row in read(spec.data.train, spec.data.format):
        if isinstance(row, Row):
            raw["test" if row.place in held else "train"][row.place] = row
    if spec.data.evaluation:
        rows = read(spec.data.evaluation, spec.data.format)
        raw["test"] = {r.place: r for r in rows if isinstance(r, Row)}
    encoded = {}
    for split in ("train", "test"):
        places = [o.place for o in data.outcomes if o.split == split and o.fate in ("kept", "cut")]
        some = (row for row, _ in zip(data.encoded(split), range(_SAMPLE), strict=False))
        encoded[split] = list(zip(places, some, strict=False))
    return Material(spec, data, tokenizer, config, raw, encoded)
