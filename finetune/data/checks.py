"""The checks of the preview; each returns findings about the material.

They answer the most frequent questions of users: labels, truncation, the end token, two BOS tokens,
overlap of training and held-out rows, base or instruct model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from finetune.callbacks import RunCallbacks
from finetune.data.dataset import Dataset
from finetune.data.findings import (
    Finding,
    Material,
    count_rows,
    describe_rows,
    gather_material,
    make_finding,
)
from finetune.data.near import join_answers
from finetune.data.preference_checks import PREFERENCE_CHECKS
from finetune.data.rendering import ChatRefusal
from finetune.data.template import render_chat
from finetune.runners.emit import IGNORE_INDEX
from finetune.spec import RunSpec
from finetune.weights import base

_MIN_BASE_ROWS = 1000
_MIN_NORM_SHARE = 0.1
_NORM_SAMPLE = 4000
_MIN_TRAINED_SHARE = 0.05
_EXAMPLES = 8


def check_lengths(m: Material) -> Iterator[Finding]:
    """Find truncated, dropped and skipped rows, and rows beyond the context window."""
    limit = m.spec.data.max_length
    fates = {
        "cut": (
            "truncated",
            f"is truncated to data.max_length = {limit} tokens",
            f"are truncated to data.max_length = {limit} tokens",
        ),
        "no answer left": (
            "answer-lost",
            f"has no answer left after truncation to data.max_length = {limit} tokens",
            f"have no answer left after truncation to data.max_length = {limit} tokens",
        ),
        "too long": (
            "dropped",
            f"is longer than data.max_length = {limit} tokens and is dropped",
            f"are longer than data.max_length = {limit} tokens and are dropped",
        ),
        "misfit": ("misfit", "matches no format and is skipped", "match no format and are skipped"),
        "no difference": (
            "no-difference",
            "has the same tokens in the chosen and the rejected answer and is dropped",
            "have the same tokens in the chosen and the rejected answer and are dropped",
        ),
    }
    for split in ("train", "test"):
        for fate, (code, one, many) in fates.items():
            if places := m.places(fate, split=split):
                what = describe_rows(places, one, many, split)
                yield make_finding(code, what, m.where(places, split), places)
    window = m.model_setting("max_position_embeddings")
    if isinstance(window, int) and m.data.summary["longest"] > window:
        places = [o.place for o in m.data.outcomes if min(o.tokens, limit) > window and o.split == "train"]
        of_model = f"longer than the model's context window of {window} tokens"
        what = describe_rows(places, f"is {of_model}", f"are {of_model}")
        yield make_finding("beyond-window", what, m.where(places), places)


def check_duplicates(m: Material) -> Iterator[Finding]:
    """Find rows that are the same as an earlier row, or nearly the same."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in m.raw["train"].items():
        groups[row.question, join_answers(row)].append(place)
    repeats = sorted(p for places in groups.values() for p in places[1:])
    if repeats:
        what = describe_rows(repeats, "repeats an earlier row exactly", "repeat an earlier row exactly")
        yield make_finding("duplicates", what, m.where(repeats), repeats)
    if near := m.near.train:
        places = sorted({later for _, later in near})
        pairs = ", ".join(f"{a}~{b}" for a, b in near[:4])
        same = "nearly the same as an earlier row"
        what = f"{describe_rows(places, f'is {same}', f'are {same}')} (for example {pairs})"
        yield make_finding("near-duplicates", what, m.where(places), places)


def check_overlap(m: Material) -> Iterator[Finding]:
    """Find held-out rows that are among the training rows, exactly or nearly."""
    questions = {row.question for row in m.raw["train"].values()}
    same = [p for p, row in m.raw["test"].items() if row.question in questions]
    if same:
        verb = "has" if len(same) == 1 else "have"
        what = f"{len(same)} of {len(m.raw['test'])} held-out rows {verb} the same prompt as a training row"
        yield make_finding("overlap", what, m.where(same, "test"), same)
    if near := m.near.test:
        what = describe_rows(near, "is", "are", "test") + " nearly the same as a training row"
        yield make_finding("near-overlap", what, m.where(near, "test"), near)


def check_ends(m: Material) -> Iterator[Finding]:
    """Find rows without a stop token at the end, and a padding token that is the end."""
    eos = m.tokenizer.eos_token_id
    stops = base.read_stop_tokens(m.spec.model.base, m.config) | ({eos} if eos is not None else set())
    truncated_places = set(m.places("cut"))
    missing = [
        place
        for place, row in m.token_rows["train"]
        if place not in truncated_places
        and any(
            [label for label in side.labels if label != IGNORE_INDEX][-1] not in stops for side in row.sides
        )
    ]
    if missing:
        names = ", ".join(repr(m.tokenizer.decode([s])) for s in sorted(stops))
        rows = count_rows(missing)
        what = f"the trained part of {rows} does not end in a token that stops the model ({names})"
        yield make_finding("end-not-trained", what, m.where(missing), missing)
    if m.tokenizer.pad_token_id is not None and m.tokenizer.pad_token_id == eos:
        what = f"the padding token is the same as the end token ({m.tokenizer.eos_token!r})"
        yield make_finding("pad-is-end", what, "the tokenizer")


def check_beginnings(m: Material) -> Iterator[Finding]:
    """Find rows that begin with two BOS tokens."""
    bos = m.tokenizer.bos_token_id
    places = [p for p, row in m.token_rows["train"] if row.input_ids[:2] == [bos, bos]]
    if bos is not None and places:
        what = describe_rows(places, "begins", "begin") + f" with two {m.tokenizer.bos_token!r} tokens"
        yield make_finding("double-bos", what, m.where(places), places)


def check_special_tokens(m: Material) -> Iterator[Finding]:
    """Find unknown token ids, untrained special tokens and special tokens in texts."""
    sides = [side for rows in m.token_rows.values() for _, row in rows for side in row.sides]
    row_tokens = {token for side in sides for token in side.input_ids}
    size = m.model_setting("vocab_size")
    beyond = sorted(t for t in row_tokens if isinstance(size, int) and t >= size)
    if beyond:
        places = _rows_with_tokens(m, beyond)
        ids = (
            f"1 token id ({beyond[0]}) is"
            if len(beyond) == 1
            else f"{len(beyond)} token ids ({beyond[:4]}) are"
        )
        what = f"{ids} outside the model's {size} embeddings"
        yield make_finding("no-embedding", what, m.where(places), places)
    special = set(m.tokenizer.all_special_ids) | set(m.tokenizer.get_added_vocab().values())
    weak = _find_short_embeddings(m, sorted((row_tokens & special) - set(beyond)))
    if weak:
        names = ", ".join(repr(m.tokenizer.convert_ids_to_tokens(t)) for t in weak[:5])
        places = _rows_with_tokens(m, weak)
        what = f"the embeddings of {names} are much shorter than the others: probably untrained"
        yield make_finding("untrained-tokens", what, m.where(places), places)
    if m.spec.data.format != "text":
        yield from _check_special_text(m)


def _rows_with_tokens(m: Material, tokens: list[int]) -> list[int]:
    wanted_tokens = set(tokens)
    return [
        place
        for place, row in m.token_rows["train"]
        if any(not wanted_tokens.isdisjoint(side.input_ids) for side in row.sides)
    ]


def _check_special_text(m: Material) -> Iterator[Finding]:
    names = [t for t in m.tokenizer.all_special_tokens if len(t) > len("<s>") - 1]
    for split, rows in m.raw.items():
        texts = ((place, row.question + join_answers(row)) for place, row in rows.items())
        places = [place for place, text in texts if any(name in text for name in names)]
        if places:
            what = describe_rows(places, "has", "have", split) + " special tokens in the text"
            yield make_finding("special-in-text", what, m.where(places, split), places)


def _find_short_embeddings(m: Material, tokens: list[int]) -> list[int]:
    """Return the tokens whose embedding is shorter than a tenth of the median length."""
    import numpy as np

    from finetune.weights.embeddings import compute_norms, read_embedding

    table = read_embedding(base.list_weight_files(m.spec.model.base)) if tokens else None
    if table is None:
        return []
    median = float(np.median(compute_norms(table[:_NORM_SAMPLE])))
    rows = [t for t in tokens if t < len(table)]
    norms = compute_norms(table[rows])
    return [t for t, norm in zip(rows, norms, strict=True) if norm < _MIN_NORM_SHARE * median]


def check_roles(m: Material) -> Iterator[Finding]:
    """Find rows with turns in an unusual order, and rows with an empty answer."""
    disorder, empty = [], []
    sides = [(place, side) for place, row in m.raw["train"].items() for side in row.sides]
    for place, row in sides:
        order = [t.role for t in row.messages if t.role != "tool" and "tool_calls" not in t.fields]
        order = order[1:] if order[:1] == ["system"] else order
        if order != (["user", "assistant"] * len(order))[: len(order)]:
            disorder.append(place)
        if any(
            t.role == "assistant" and not t.content.strip() and "tool_calls" not in t.fields
            for t in row.messages
        ):
            empty.append(place)
    disorder, empty = sorted(set(disorder)), sorted(set(empty))
    if disorder:
        what = describe_rows(disorder, "does not alternate", "do not alternate") + " user and assistant turns"
        yield make_finding("role-order", what, m.where(disorder), disorder)
    if empty:
        what = describe_rows(empty, "has an empty answer", "have an empty answer")
        yield make_finding("empty-answer", what, m.where(empty), empty)


def check_default_system(m: Material) -> Iterator[Finding]:
    """Find rows to which the chat template adds a system text of its own."""
    places = [p for p, r in m.raw["train"].items() if r.messages and r.messages[0].role != "system"]
    if not places or not m.tokenizer.chat_template:
        return
    mark = "Zebra 4711"
    try:
        before = render_chat([{"role": "user", "content": mark}], m.tokenizer).partition(mark)[0]
    except ChatRefusal:  # encode_rows() has reported that
        return
    for token in m.tokenizer.all_special_tokens:
        before = before.replace(token, " ")
    words = before.split()
    if len(words) > len(["system", "user", "assistant", ":"]):
        text = " ".join(words)
        what = f"the chat template adds its own system text to {count_rows(places)}: {text!r}"
        yield make_finding("default-system", what, m.where(places), places)


def check_trained_share(m: Material) -> Iterator[Finding]:
    """Find a data set in which only a small share of the tokens is trained."""
    trained_tokens, train_tokens = m.data.summary["trained_tokens"], m.data.summary["train_tokens"]
    if trained_tokens < _MIN_TRAINED_SHARE * train_tokens:
        rows = sorted(m.token_rows["train"], key=lambda pair: pair[1].trained_tokens / len(pair[1].input_ids))
        places = [p for p, _ in rows[:_EXAMPLES]]
        share = f"{trained_tokens / train_tokens:.1%}"
        what = f"only {share} of the tokens are trained ({trained_tokens:,} of {train_tokens:,})"
        yield make_finding("few-trained", what, m.where(places), places)


def check_model_kind(m: Material) -> Iterator[Finding]:
    """Check whether the kind of model (base or instruct) suits the data."""
    chats = [p for p, r in m.raw["train"].items() if r.messages]
    raw = [p for p, r in m.raw["train"].items() if not r.messages]
    is_instruct = bool(m.tokenizer.chat_template) and m.spec.data.template == "auto"
    rows = count_rows(m.raw["train"])
    if is_instruct and not chats:
        what = "the model is an instruct model (it has a chat template), but the rows are raw text"
        yield make_finding("instruct-raw", what, m.where(raw), raw)
    elif not is_instruct and chats and len(m.raw["train"]) < _MIN_BASE_ROWS:
        what = f"the model is a base model, and the data have only {rows}"
        yield make_finding("base-few-rows", what, m.where(chats), chats)
    else:
        kind = "an instruct model" if is_instruct else "a base model"
        yield make_finding("base-or-instruct", f"{kind} suits these data", rows)


def check_senses(m: Material) -> Iterator[Finding]:
    """Find a model that also reads images or sound, and say whether its text can be trained."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    parts = [name for name in ("vision_config", "audio_config") if m.config.get(name)]
    if not parts:
        return
    what, kind = f"the model also reads images or sound ({', '.join(parts)})", m.config.get("model_type")
    if kind and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and "auto_map" not in m.config:
        what += f", and transformers loads {kind} only with them"
        yield make_finding("no-text-model", what, "config.json")
    elif m.spec.stack == "trl":
        yield make_finding("no-text-training", f"{what}, and trl loads its processor for them", "config.json")
    else:
        yield make_finding("other-senses", f"{what}; advisor trains on text alone", "config.json")


CHECKS: tuple[Callable[[Material], Iterator[Finding]], ...] = (
    check_lengths,
    check_duplicates,
    check_overlap,
    check_ends,
    check_beginnings,
    check_special_tokens,
    check_roles,
    check_default_system,
    check_trained_share,
    check_model_kind,
    check_senses,
    *PREFERENCE_CHECKS,
)


def check_data(
    spec: RunSpec,
    data: Dataset,
    tokenizer: Any,
    config: dict[str, Any],
    callbacks: RunCallbacks = RunCallbacks(),
) -> tuple[Finding, ...]:
    """Return the findings of all checks, errors first."""
    material = gather_material(spec, data, tokenizer, config, callbacks)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted((f for check in CHECKS for f in check(material)), key=lambda f: order[f.severity]))
