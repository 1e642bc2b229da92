"""Tokenise once: a data set becomes a folder of `input_ids` and `labels` that every stack trains on.

    FOLDER/train.jsonl    one object a row: input_ids, labels (-100: not trained)
    FOLDER/test.jsonl     the held-out rows, alike
    FOLDER/rows.jsonl     what became of each row of the source: split, place, tokens, cut, dropped
    FOLDER/summary.json   counts, hashes and the settings that the tokens depend on

The folder's name is a hash of everything that the tokens depend on, so the same question is answered
from the cache, and a change of any of it makes another folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finetune.data.rows import Misfit, Row, read
from finetune.data.template import IGNORED, Encoded, encode
from finetune.errors import DataError
from finetune.spec import RunSpec

_VERSION = 1
_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one row of the source.

    Attributes:
        split: ``train`` or ``test``.
        place: line or number in its source, from 1.
        tokens: before cutting.
        trained: trained tokens that are left.
        fate: ``kept``, ``cut``, ``too long`` (dropped), ``no answer left`` (dropped) or ``misfit``.
        why: of a misfit.
    """

    split: str
    place: int
    tokens: int
    trained: int
    fate: str
    why: str = ""


@dataclass(frozen=True)
class Dataset:
    """A tokenised data set on disk."""

    folder: Path
    summary: dict[str, Any]
    outcomes: tuple[Outcome, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """Rows to train on."""
        return int(self.summary["train_rows"])

    def encoded(self, split: str) -> Iterator[Encoded]:
        """The rows of ``train`` or ``test``."""
        with (self.folder / f"{split}.jsonl").open("rb") as lines:
            for line in lines:
                yield Encoded(**json.loads(line))


def prepare(
    spec: RunSpec, tokenizer: Any, cache: Path, *, progress: Callable[[int], None] = lambda _: None
) -> Dataset:
    """Tokenise the data of a run, or take them from the cache.

    Args:
        spec: the run; ``data``, ``training.seed`` and the tokenizer decide the tokens.
        tokenizer: of the base model, with the template of the run.
        cache: folder of tokenised data sets.
        progress: called with the number of rows done.

    Raises:
        DataError: nothing is left to train on, or rows do not fit and ``data.misfits`` is ``stop``.
    """
    folder = cache / key(spec, tokenizer)
    if not (folder / "summary.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=cache))
        try:
            _write(draft, spec, tokenizer, progress)
            draft.chmod(0o755)
            _settle(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return open_dataset(folder)


def open_dataset(folder: Path) -> Dataset:
    """A tokenised data set from its folder.

    Raises:
        DataError: it is none, or not whole.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        lines = (folder / "rows.jsonl").read_bytes().splitlines()
        outcomes = tuple(Outcome(**json.loads(line)) for line in lines)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder} is no tokenised data set: {error}") from None
    return Dataset(folder, summary, outcomes)


def key(spec: RunSpec, tokenizer: Any) -> str:
    """Hash of everything that the tokens depend on."""
    asked = {
        "version": _VERSION,
        "train": source_hash(spec.data.train),
        "evaluation": source_hash(spec.data.evaluation) if spec.data.evaluation else None,
        "data": {
            k: v
            for k, v in spec.data.model_dump().items()
            if k not in ("train", "evaluation", "packing", "template")
        },
        "seed": spec.training.seed,
        "tokenizer": tokenizer_hash(tokenizer),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def source_hash(source: str) -> str:
    """sha256 of a file; a hub id stands for itself."""
    path = Path(source).expanduser()
    if not path.is_file():
        return f"hub:{source}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tokenizer_hash(tokenizer: Any) -> str:
    """sha256 over the tokenizer's model, its special tokens and its template."""
    parts = [
        tokenizer.backend_tokenizer.to_str(),
        json.dumps({k: str(v) for k, v in tokenizer.special_tokens_map.items()}, sort_keys=True),
        str(tokenizer.chat_template),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def split(rows: Iterable[Row], share: float, seed: int) -> set[int]:
    """Places of the rows to hold out: those with the smallest hashes of (seed, question).

    Rows with the same question go together, so no duplicate stands on both sides.
    """
    if not share:
        return set()
    places: dict[str, list[int]] = {}
    for row in rows:
        digest = hashlib.sha256(f"{seed}\0{row.question}".encode()).hexdigest()
        places.setdefault(digest, []).append(row.place)
    held = max(1, round(len(places) * share)) if len(places) > 1 else 0
    return {place for digest in sorted(places)[:held] for place in places[digest]}


def _write(draft: Path, spec: RunSpec, tokenizer: Any, progress: Callable[[int], None]) -> None:
    data = spec.data
    own_evaluation = data.evaluation is not None
    held = (
        set()
        if own_evaluation
        else split(
            (r for r in read(data.train, data.format) if isinstance(r, Row)),
            data.evaluation_share,
            spec.training.seed,
        )
    )
    outcomes: list[Outcome] = []
    hashes = {}
    with (draft / "train.jsonl").open("w") as train, (draft / "test.jsonl").open("w") as test:
        sinks = {"train": train, "test": test}
        sources = [("train", data.train)] + ([("test", data.evaluation)] if data.evaluation else [])
        for name, source in sources:
            for row in read(source, data.format):
                part = "test" if row.place in held and not own_evaluation else name
                outcome, kept = _one(part, row, tokenizer, spec)
                outcomes.append(outcome)
                if kept is not None:
                    sinks[part].write(json.dumps(asdict(kept)) + "\n")
                progress(len(outcomes))
    for name in ("train", "test"):
        with (draft / f"{name}.jsonl").open("rb") as file:
            hashes[f"{name}_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    _refuse(outcomes, spec)
    with (draft / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(asdict(o)) + "\n" for o in outcomes)
    summary = {**_counts(outcomes, spec.data.max_length), **hashes, "source_sha256": source_hash(data.train)}
    if data.evaluation:
        summary["evaluation_source_sha256"] = source_hash(data.evaluation)
    (draft / "summary.json").write_text(json.dumps(summary, indent=1))


def _one(part: str, row: Row | Misfit, tokenizer: Any, spec: RunSpec) -> tuple[Outcome, Encoded | None]:
    if isinstance(row, Misfit):
        return Outcome(part, row.place, 0, 0, "misfit", row.why), None
    made = encode(row, tokenizer, spec.data)
    if isinstance(made, str):
        return Outcome(part, row.place, 0, 0, "misfit", made), None
    tokens, limit = len(made.input_ids), spec.data.max_length
    if tokens > limit and spec.data.too_long != "truncate":
        return Outcome(part, row.place, tokens, 0, "too long"), None
    kept = Encoded(made.input_ids[:limit], made.labels[:limit])
    # The first label is never predicted, so a row needs a trained token after its first.
    if all(label == IGNORED for label in kept.labels[1:]):
        return Outcome(part, row.place, tokens, 0, "no answer left"), None
    return Outcome(part, row.place, tokens, kept.trained, "cut" if tokens > limit else "kept"), kept


def _refuse(outcomes: list[Outcome], spec: RunSpec) -> None:
    misfits = [o for o in outcomes if o.fate == "misfit"]
    if misfits and spec.data.misfits == "stop":
        shown = "; ".join(f"{_source(spec, o)}:{o.place} {o.why}" for o in misfits[:_SHOWN])
        more = f" and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        raise DataError(
            f"{len(misfits)} of {len(outcomes)} rows cannot be used: {shown}{more}. Mend them, or leave "
            "them out with --set data.misfits=skip"
        )
    long = [o for o in outcomes if o.fate == "too long"]
    if long and spec.data.too_long == "stop":
        places = ", ".join(f"{_source(spec, o)}:{o.place} ({o.tokens} tokens)" for o in long[:_SHOWN])
        raise DataError(
            f"{len(long)} rows are longer than data.max_length = {spec.data.max_length}: {places}. Raise it, "
            "or set data.too_long to truncate or drop"
        )
    if not any(o.split == "train" and o.fate in ("kept", "cut") for o in outcomes):
        fates = ", ".join(sorted({o.fate for o in outcomes})) or "there are no rows"
        raise DataError(f"{spec.data.train}: nothing is left to train on ({fates})")


def _source(spec: RunSpec, outcome: Outcome) -> str:
    own = spec.data.evaluation if outcome.split == "test" and spec.data.evaluation else spec.data.train
    return Path(own).name


def _counts(outcomes: list[Outcome], limit: int) -> dict[str, Any]:
    used = [o for o in outcomes if o.fate in ("kept", "cut")]
    train = [o for o in used if o.split == "train"]
    lengths = sorted(min(o.tokens, limit) for o in train)
    return {
        "train_rows": len(train),
        "test_rows": len(used) - len(train),
        "train_tokens": sum(lengths),
        "trained_tokens": sum(o.trained for o in train),
        "longest": lengths[-1] if lengths else 0,
        "median_length": lengths[len(lengths) // 2] if lengths else 0,
        "fates": {fate: sum(o.fate == fate for o in outcomes) for fate in sorted({o.fate for o in outcomes})},
    }


def _settle(draft: Path, folder: Path) -> None:
    """Rename into place; another run that was quicker has written the same."""
    try:
        os.rename(draft, folder)  # noqa: PTH104 - a folder that is there already must not be replaced
    except OSError:
        if not (folder / "summary.json").is_file():
            raise
