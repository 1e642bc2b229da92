"""Tokenise a data set once, into a folder of token ids and labels for every stack.

    FOLDER/train.jsonl    one object per row: input_ids, labels (-100: not trained); of a preference also
                          rejected (the same for the rejected answer), or is_desirable
    FOLDER/test.jsonl     the held-out rows, in the same form
    FOLDER/rows.jsonl     the outcome of each source row: split, place, tokens, trained tokens, fate
    FOLDER/summary.json   counts and hashes

The folder's name is a hash of everything that the tokens depend on. The same inputs use the cache; a
change of any input makes a new folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from advisor.files import draft_folder, expand_home, remove_dead_drafts
from finetune.data import packing
from finetune.data.encoded_row import EncodedRow, row_from_json
from finetune.data.rows import Misfit, Row, read_rows
from finetune.data.template import encode_rows, prefetch_chats
from finetune.data.training_template import find_training_template
from finetune.errors import DataError, explain_os_errors
from finetune.layout import DATA_NAMES
from finetune.runners.emit import IGNORE_INDEX
from finetune.sections import PREFERENCE_FORMATS
from finetune.spec import RunSpec

_VERSION = 4
_EXAMPLES = 5
_TRAINING_FATES = ("kept", "cut")
_GROUP = 64  # rows


@dataclass(frozen=True)
class RowOutcome:
    """What happened to one row of the source.

    Attributes:
        split: ``train`` or ``test``.
        place: line or number of the row in its source, from 1.
        tokens: number of tokens before truncation; of a preference, those of the longer side.
        trained: number of trained tokens after truncation.
        fate: ``kept``, ``cut``, ``too long`` (dropped), ``no answer left`` (dropped), ``no difference`` (two
            equal answers, dropped) or ``misfit``.
        why: the reason of a misfit.
        total: number of tokens after truncation, of both sides of a preference.
    """

    split: str
    place: int
    tokens: int
    trained: int
    fate: str
    why: str = ""
    total: int = 0


@dataclass(frozen=True)
class Dataset:
    """A tokenised data set on disk."""

    folder: Path
    summary: dict[str, Any]
    outcomes: tuple[RowOutcome, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """The number of training rows."""
        return int(self.summary["train_rows"])

    def read_rows(self, split: str) -> Iterator[EncodedRow]:
        """Yield the rows of ``train`` or ``test``."""
        with (self.folder / f"{split}.jsonl").open("rb") as lines:
            for line in lines:
                yield row_from_json(json.loads(line))


def count_sequences(data: Dataset, spec: RunSpec) -> int:
    """Return how many sequences one epoch has: the training rows, or what packing makes of them."""
    if not spec.data.packing:
        return data.rows
    limit = spec.data.max_length
    outcomes = [o for o in data.outcomes if o.split == "train" and o.fate in _TRAINING_FATES]
    return packing.count_sequences([min(o.tokens, limit) for o in outcomes], limit)


def prepare_dataset(
    spec: RunSpec, tokenizer: Any, cache: Path, *, progress: Callable[[int], None] = lambda _: None
) -> Dataset:
    """Tokenise the data of a run, or read the tokens from the cache.

    Args:
        spec: the run; its tokens depend on ``data``, ``training.seed`` and the tokenizer.
        tokenizer: the base model's tokenizer, with the chat template of the run.
        cache: folder of tokenised data sets.
        progress: called with the number of rows so far.

    Raises:
        DataError: no row is left for training, or a row is unusable or too long and the spec says ``stop``.
    """
    folder = cache / hash_inputs(spec, tokenizer)
    remove_dead_drafts(cache, "draft-")
    if not (folder / "summary.json").is_file():
        with explain_os_errors(cache), draft_folder(cache, "draft-") as draft:
            _write(draft, spec, tokenizer, progress)
            _rename_draft(draft, folder)
    return open_dataset(folder)


def open_dataset(folder: Path) -> Dataset:
    """Open a tokenised data set.

    Raises:
        DataError: the folder is not a complete tokenised data set.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        lines = (folder / "rows.jsonl").read_bytes().splitlines()
        outcomes = tuple(RowOutcome(**json.loads(line)) for line in lines)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder} is not a complete tokenised data set: {error}") from None
    return Dataset(folder, summary, outcomes)


def hash_inputs(spec: RunSpec, tokenizer: Any) -> str:
    """Return a hash of everything that the tokens depend on."""
    inputs = {
        "version": _VERSION,
        "train": hash_source(spec.data.train),
        "evaluation": hash_source(spec.data.evaluation) if spec.data.evaluation else None,
        "data": {
            k: v
            for k, v in spec.data.model_dump().items()
            if k not in ("train", "evaluation", "packing", "template")
        },
        "objective": spec.method.objective,
        "seed": spec.training.seed,
        "tokenizer": hash_tokenizer(tokenizer),
        "training_templates": _list_training_templates(tokenizer.chat_template),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


def _list_training_templates(chat_template: str | dict[str, str] | None) -> list[str | None]:
    templates = list(chat_template.values()) if isinstance(chat_template, dict) else [str(chat_template)]
    return [find_training_template(template) for template in templates]


def hash_source(source: str) -> str:
    """Return the sha256 of a file, or the hub id itself."""
    path = expand_home(source)
    if not path.is_file():
        return f"hub:{source}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_tokenizer(tokenizer: Any) -> str:
    """Return the sha256 of the tokenizer's model, special tokens and chat template."""
    parts = [
        tokenizer.backend_tokenizer.to_str(),
        json.dumps({k: str(v) for k, v in tokenizer.special_tokens_map.items()}, sort_keys=True),
        str(tokenizer.chat_template),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def choose_held_out_rows(rows: Iterable[Row], share: float, seed: int) -> set[int]:
    """Return the places of the rows to hold out.

    They are the rows with the smallest hashes of (seed, question). Rows with the same question are always
    on the same side.
    """
    if not share:
        return set()
    places: dict[str, list[int]] = {}
    for row in rows:
        digest = hashlib.sha256(f"{seed}\0{row.question}".encode()).hexdigest()
        places.setdefault(digest, []).append(row.place)
    count = max(1, round(len(places) * share)) if len(places) > 1 else 0
    return {place for digest in sorted(places)[:count] for place in places[digest]}


def _write(draft: Path, spec: RunSpec, tokenizer: Any, progress: Callable[[int], None]) -> None:
    data = spec.data
    has_own_evaluation = data.evaluation is not None
    held_out_places = (
        set()
        if has_own_evaluation
        else choose_held_out_rows(
            (row for row in read_rows(data.train, data.format, data.ignored_columns) if isinstance(row, Row)),
            data.evaluation_share,
            spec.training.seed,
        )
    )
    outcomes: list[RowOutcome] = []
    hashes = {}
    with (draft / "train.jsonl").open("w") as train, (draft / "test.jsonl").open("w") as test:
        files = {"train": train, "test": test}
        sources = [("train", data.train)] + ([("test", data.evaluation)] if data.evaluation else [])
        for name, source in sources:
            rows = read_objective_rows(
                read_rows(source, data.format, data.ignored_columns), spec.method.objective
            )
            for row, encoded_row in _encode_in_groups(rows, tokenizer, spec):
                split = "test" if row.place in held_out_places and not has_own_evaluation else name
                outcome, tokens = _judge(split, row, encoded_row, spec)
                outcomes.append(outcome)
                if tokens is not None:
                    files[split].write(json.dumps(tokens.to_json()) + "\n")
                progress(len(outcomes))
    for name in ("train", "test"):
        with (draft / f"{name}.jsonl").open("rb") as file:
            hashes[f"{name}_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    _check_outcomes(outcomes, spec)
    with (draft / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(vars(o)) + "\n" for o in outcomes)
    summary = {**_count(outcomes, spec.data.max_length), **hashes, "source_sha256": hash_source(data.train)}
    if data.evaluation:
        summary["evaluation_source_sha256"] = hash_source(data.evaluation)
    (draft / "summary.json").write_text(json.dumps(summary, indent=1))


def read_objective_rows(rows: Iterator[Row | Misfit], objective: str) -> Iterator[Row | Misfit]:
    """Yield the rows as an objective trains on them; a row that it cannot use becomes a misfit.

    KTO takes a preference as two rows, the chosen answer as desirable and the rejected one as undesirable.
    """
    needed_format = PREFERENCE_FORMATS.get(objective)
    for row in rows:
        if isinstance(row, Misfit):
            yield row
        elif objective == "kto" and row.rejected:
            for side, is_desirable in ((replace(row, rejected=None), True), (row.rejected, False)):
                yield replace(side, format="unpaired-preference", is_desirable=is_desirable)
        elif needed_format is None and row.format in PREFERENCE_FORMATS.values():
            names = " or ".join(
                f"'{name}'" for name, form in PREFERENCE_FORMATS.items() if form == row.format
            )
            what = "two answers (chosen and rejected)" if row.rejected else "an answer with a label"
            remedy = f"set method.objective = {names}, or name a column in data.ignored_columns"
            yield Misfit(row.place, f"has {what}, but method.objective is 'sft'; {remedy}")
        elif needed_format not in (None, row.format):
            why = f"has the format {row.format}, but method.objective = '{objective}' needs {needed_format}"
            yield Misfit(row.place, why)
        else:
            yield row


def _encode_in_groups(
    rows: Iterator[Row | Misfit], tokenizer: Any, spec: RunSpec
) -> Iterator[tuple[Row | Misfit, EncodedRow | str]]:
    """Yield each row with its tokens, or with the reason why it has none."""
    while group := list(islice(rows, _GROUP)):
        prefetch_chats(group, tokenizer)
        encoded_rows = iter(encode_rows([row for row in group if isinstance(row, Row)], tokenizer, spec.data))
        yield from ((row, row.why if isinstance(row, Misfit) else next(encoded_rows)) for row in group)


def _judge(
    split: str, row: Row | Misfit, encoded_row: EncodedRow | str, spec: RunSpec
) -> tuple[RowOutcome, EncodedRow | None]:
    """Return the outcome of a row, and its tokens if they are used."""
    if isinstance(encoded_row, str):
        return RowOutcome(split, row.place, 0, 0, "misfit", encoded_row), None
    tokens, limit = max(len(side.input_ids) for side in encoded_row.sides), spec.data.max_length
    if tokens > limit and spec.data.too_long != "truncate":
        return RowOutcome(split, row.place, tokens, 0, "too long"), None
    encoded_row = encoded_row.truncate(limit)
    # No model predicts the first label, so a row needs a trained token after the first one.
    if any(all(label == IGNORE_INDEX for label in side.labels[1:]) for side in encoded_row.sides):
        return RowOutcome(split, row.place, tokens, 0, "no answer left"), None
    if encoded_row.rejected and encoded_row.rejected.input_ids == encoded_row.input_ids:
        return RowOutcome(split, row.place, tokens, 0, "no difference"), None
    fate, total = "cut" if tokens > limit else "kept", sum(len(side.input_ids) for side in encoded_row.sides)
    return RowOutcome(split, row.place, tokens, encoded_row.trained_tokens, fate, total=total), encoded_row


def _check_outcomes(outcomes: list[RowOutcome], spec: RunSpec) -> None:
    misfits = [o for o in outcomes if o.fate == "misfit"]
    if misfits and spec.data.misfits == "stop":
        examples = "; ".join(f"{_source(spec, o)}:{o.place} {o.why}" for o in misfits[:_EXAMPLES])
        more = f" and {len(misfits) - _EXAMPLES} more" if len(misfits) > _EXAMPLES else ""
        raise DataError(
            f"{len(misfits)} of {len(outcomes)} rows cannot be used: {examples}{more}. Correct them, or skip "
            "them with --set data.misfits=skip"
        )
    long = [o for o in outcomes if o.fate == "too long"]
    if long and spec.data.too_long == "stop":
        places = ", ".join(f"{_source(spec, o)}:{o.place} ({o.tokens} tokens)" for o in long[:_EXAMPLES])
        raise DataError(
            f"{len(long)} rows are longer than data.max_length = {spec.data.max_length}: {places}. Increase "
            "it, or set data.too_long to truncate or drop"
        )
    if not any(o.split == "train" and o.fate in ("kept", "cut") for o in outcomes):
        fates = ", ".join(sorted({o.fate for o in outcomes})) or "the source has no rows"
        raise DataError(f"{spec.data.train}: no rows are left for training ({fates})")


def _source(spec: RunSpec, outcome: RowOutcome) -> str:
    source = spec.data.evaluation if outcome.split == "test" and spec.data.evaluation else spec.data.train
    return Path(source).name


def _count(outcomes: list[RowOutcome], limit: int) -> dict[str, Any]:
    usable = [o for o in outcomes if o.fate in ("kept", "cut")]
    train = [o for o in usable if o.split == "train"]
    lengths = sorted(min(o.tokens, limit) for o in train)
    return {
        "train_rows": len(train),
        "test_rows": len(usable) - len(train),
        "train_tokens": sum(o.total for o in train),
        "trained_tokens": sum(o.trained for o in train),
        "longest": lengths[-1] if lengths else 0,
        "median_length": lengths[len(lengths) // 2] if lengths else 0,
        "fates": {fate: sum(o.fate == fate for o in outcomes) for fate in sorted({o.fate for o in outcomes})},
    }


def _rename_draft(draft: Path, folder: Path) -> None:
    """Rename the draft, unless another run has written the same folder meanwhile."""
    try:
        os.rename(draft, folder)  # noqa: PTH104 - fails if the folder exists, which must not be replaced
    except OSError:
        if not (folder / "summary.json").is_file():
            raise


def link_dataset(data: Dataset, folder: Path) -> None:
    """Put hard links to the files of a data set into a folder of a run, or copies if links fail.

    The links replace the files of an earlier plan of the run. Other files stay.

    Raises:
        DataError: the folder is none, or a file there has one of our names, and the run did not write it.
    """
    _remove_dataset(folder)
    with draft_folder(folder.parent, ".draft-") as draft:
        for name in DATA_NAMES:
            try:
                os.link(data.folder / name, draft / name)
            except OSError:
                shutil.copy2(data.folder / name, draft / name)
        if not folder.exists():
            draft.rename(folder)  # after a kill all files are there, or none
            return
        for name in DATA_NAMES:
            (draft / name).rename(folder / name)


def _remove_dataset(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{folder} is not a folder that advisor wrote; move it away, or use another -o")
    files = [folder / name for name in DATA_NAMES if os.path.lexists(folder / name)]
    if files and not _is_intact(folder):
        raise DataError(
            f"{files[0]} is not as the run wrote it, so advisor does not replace it; move it away, "
            "then try again"
        )
    for file in files:
        file.unlink()
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _is_intact(folder: Path) -> bool:
    """Return whether the files are those that their summary describes."""
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        hashes = {name: summary[f"{name}_sha256"] for name in ("train", "test")}
        return all(hash_source(str(folder / f"{name}.jsonl")) == hashes[name] for name in hashes)
    except (OSError, ValueError, TypeError, KeyError):
        return False
