"""The checks behind the preview: each is a function from the material to findings; `CHECKS` lists them.

They answer what users of the stacks ask for most: masks, truncation, the end token, double BOS, leaks
between training and held-out rows, base or instruct.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from finetune.data.dataset import Dataset
from finetune.data.findings import Finding, Material, found, gather
from finetune.data.template import IGNORED, render
from finetune.spec import RunSpec
from finetune.weights import base

NEAR = 0.85
_NEAR_LIMIT = 20_000
_SHORT = 6
_BASE_NEEDS = 1000
_UNTRAINED = 0.1
_SAMPLED = 4000
_FEW_TRAINED = 0.05
_WORST = 8


def lengths(m: Material) -> Iterator[Finding]:
    """Rows that were cut, lost their answer, were dropped or skipped; rows longer than the model."""
    limit = m.spec.data.max_length
    fates = {
        "cut": ("truncated", f"are cut at data.max_length = {limit}"),
        "no answer left": ("answer-lost", f"lose their whole answer at data.max_length = {limit}"),
        "too long": ("dropped", f"are longer than data.max_length = {limit} and are dropped"),
        "misfit": ("misfit", "fit no format and are skipped"),
    }
    for split in ("train", "test"):
        for fate, (code, what) in fates.items():
            if places := m.places(fate, split=split):
                yield found(code, f"{len(places)} rows {what}", m.where(places, split), places)
    window = m.model_setting("max_position_embeddings")
    if isinstance(window, int) and m.data.summary["longest"] > window:
        places = [o.place for o in m.data.outcomes if min(o.tokens, limit) > window and o.split == "train"]
        what = f"{len(places)} rows are longer than the {window} tokens that the model can see"
        yield found("beyond-window", what, m.where(places), places)


def duplicates(m: Material) -> Iterator[Finding]:
    """Rows that say the same, and nearly the same."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in m.raw["train"].items():
        groups[row.question, row.answer].append(place)
    again = sorted(p for places in groups.values() for p in places[1:])
    if again:
        what = f"{len(again)} rows repeat an earlier row word for word"
        yield found("duplicates", what, m.where(again), again)
    known = set(again)
    texts = {p: f"{r.question}\n{r.answer}" for p, r in m.raw["train"].items() if p not in known}
    if near := near_pairs(texts):
        places = sorted({later for _, later in near})
        pairs = ", ".join(f"{a}~{b}" for a, b in near[:4])
        what = f"{len(places)} rows are nearly an earlier one (e.g. {pairs})"
        yield found("near-duplicates", what, m.where(places), places)


def overlap(m: Material) -> Iterator[Finding]:
    """Held-out rows that stand among the training rows, exactly or nearly."""
    asked = {row.question for row in m.raw["train"].values()}
    same = [p for p, row in m.raw["test"].items() if row.question in asked]
    if same:
        what = f"{len(same)} of {len(m.raw['test'])} held-out rows ask what a training row asks"
        yield found("overlap", what, m.where(same, "test"), same)
    known = set(same)
    texts = {("train", p): f"{r.question}\n{r.answer}" for p, r in m.raw["train"].items()}
    texts |= {("test", p): f"{r.question}\n{r.answer}" for p, r in m.raw["test"].items() if p not in known}
    near = sorted({b[1] for a, b in near_pairs(texts) if a[0] == "train" and b[0] == "test"})
    if near:
        what = f"{len(near)} held-out rows are nearly a training row"
        yield found("near-overlap", what, m.where(near, "test"), near)


def near_pairs(texts: dict[Any, str]) -> list[tuple[Any, Any]]:
    """Pairs (earlier, later) whose sets of three-word runs have a Jaccard similarity of at least `NEAR`.

    Candidates come from MinHash (Broder 1997) with locality-sensitive hashing; each is then counted out.
    Only the first 20,000 texts are looked at, and none of fewer than six words.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=NEAR, num_perm=64)
    pairs, runs = [], {}
    for key, text in list(texts.items())[:_NEAR_LIMIT]:
        words = text.lower().split()
        if len(words) < _SHORT:
            continue
        runs[key] = {" ".join(words[i : i + 3]) for i in range(len(words) - 2)}
        sketch = MinHash(num_perm=64)
        sketch.update_batch([run.encode() for run in runs[key]])
        for other in index.query(sketch):
            if len(runs[key] & runs[other]) >= NEAR * len(runs[key] | runs[other]):
                pairs.append((other, key))
                break
        index.insert(key, sketch)
    return pairs


def ends(m: Material) -> Iterator[Finding]:
    """Trained parts that do not end in a token on which generation stops; a pad that is the end."""
    eos = m.tokenizer.eos_token_id
    stops = base.stop_tokens(m.spec.model.base, m.config) | ({eos} if eos is not None else set())
    cut = set(m.places("cut"))
    missing = [
        place
        for place, row in m.encoded["train"]
        if place not in cut and [label for label in row.labels if label != IGNORED][-1] not in stops
    ]
    if missing:
        names = ", ".join(repr(m.tokenizer.decode([s])) for s in sorted(stops))
        what = f"the trained part of {len(missing)} rows ends in none of the tokens that stop it ({names})"
        yield found("end-not-trained", what, m.where(missing), missing)
    if m.tokenizer.pad_token_id is not None and m.tokenizer.pad_token_id == eos:
        what = f"the padding token is the end token ({m.tokenizer.eos_token!r})"
        yield found("pad-is-end", what, "the tokenizer")


def beginnings(m: Material) -> Iterator[Finding]:
    """Two BOS tokens where one belongs."""
    bos = m.tokenizer.bos_token_id
    twice = [p for p, row in m.encoded["train"] if row.input_ids[:2] == [bos, bos]]
    if bos is not None and twice:
        what = f"{len(twice)} rows begin with two {m.tokenizer.bos_token!r} tokens"
        yield found("double-bos", what, m.where(twice), twice)


def special_tokens(m: Material) -> Iterator[Finding]:
    """Ids without an embedding, special tokens never trained, special tokens written in the rows' text."""
    used = {token for split in m.encoded.values() for _, row in split for token in row.input_ids}
    size = m.model_setting("vocab_size")
    beyond = sorted(t for t in used if isinstance(size, int) and t >= size)
    if beyond:
        places = _with_tokens(m, beyond)
        what = f"{len(beyond)} token ids are beyond the model's {size} embeddings ({beyond[:4]})"
        yield found("no-embedding", what, m.where(places), places)
    marks = set(m.tokenizer.all_special_ids) | set(m.tokenizer.get_added_vocab().values())
    weak = _untrained(m, sorted((used & marks) - set(beyond)))
    if weak:
        names = ", ".join(repr(m.tokenizer.convert_ids_to_tokens(t)) for t in weak[:5])
        places = _with_tokens(m, weak)
        what = f"the embeddings of {names} look untrained (far shorter than the others)"
        yield found("untrained-tokens", what, m.where(places), places)
    if m.spec.data.format != "text":
        yield from _in_text(m)


def _with_tokens(m: Material, tokens: list[int]) -> list[int]:
    return [p for p, row in m.encoded["train"] if not set(tokens).isdisjoint(row.input_ids)]


def _in_text(m: Material) -> Iterator[Finding]:
    names = [t for t in m.tokenizer.all_special_tokens if len(t) > len("<s>") - 1]
    for split, rows in m.raw.items():
        places = [p for p, row in rows.items() if any(t in row.question + row.answer for t in names)]
        if places:
            what = f"{len(places)} rows contain special tokens in their text"
            yield found("special-in-text", what, m.where(places, split), places)


def _untrained(m: Material, tokens: list[int]) -> list[int]:
    """Of these tokens the ones whose embedding is shorter than a tenth of the median."""
    import numpy as np

    from finetune.weights.embeddings import embedding, norms

    table = embedding(base.weight_files(m.spec.model.base)) if tokens else None
    if table is None:
        return []
    median = float(np.median(norms(table[:_SAMPLED])))
    known = [t for t in tokens if t < len(table)]
    lengths = norms(table[known])
    return [t for t, length in zip(known, lengths, strict=True) if length < _UNTRAINED * median]


def roles(m: Material) -> Iterator[Finding]:
    """Turns out of order, empty answers."""
    disorder, empty = [], []
    for place, row in m.raw["train"].items():
        order = [t.role for t in row.messages if t.role != "tool"]
        order = order[1:] if order[:1] == ["system"] else order
        if order != (["user", "assistant"] * len(order))[: len(order)]:
            disorder.append(place)
        if any(t.role == "assistant" and not t.content.strip() for t in row.messages):
            empty.append(place)
    if disorder:
        what = f"the turns of {len(disorder)} rows do not alternate user, assistant"
        yield found("role-order", what, m.where(disorder), disorder)
    if empty:
        yield found("empty-answer", f"{len(empty)} rows have an empty answer", m.where(empty), empty)


def default_system(m: Material) -> Iterator[Finding]:
    """A system turn that nobody wrote but the template."""
    without = [p for p, r in m.raw["train"].items() if r.messages and r.messages[0].role != "system"]
    if not without or not m.tokenizer.chat_template:
        return
    mark = "Zebra 4711"
    try:
        before = render([{"role": "user", "content": mark}], m.tokenizer).partition(mark)[0]
    except Exception:  # noqa: BLE001 - a template may refuse anything; encode() has said so then
        return
    for token in m.tokenizer.all_special_tokens:
        before = before.replace(token, " ")
    words = before.split()
    if len(words) > len(["system", "user", "assistant", ":"]):
        text = " ".join(words)
        what = f"the template puts a system text of its own before {len(without)} rows: {text!r}"
        yield found("default-system", what, m.where(without), without)


def share_trained(m: Material) -> Iterator[Finding]:
    """How much of what is read is learnt from."""
    trained, seen = m.data.summary["trained_tokens"], m.data.summary["train_tokens"]
    if trained < _FEW_TRAINED * seen:
        worst = sorted(m.encoded["train"], key=lambda pair: pair[1].trained / len(pair[1].input_ids))
        places = [p for p, _ in worst[:_WORST]]
        what = f"only {trained / seen:.1%} of the tokens are trained ({trained:,} of {seen:,})"
        yield found("few-trained", what, m.where(places), places)


def base_or_instruct(m: Material) -> Iterator[Finding]:
    """Whether this model, as far as its files tell, fits these data."""
    chats = [p for p, r in m.raw["train"].items() if r.messages]
    raw = [p for p, r in m.raw["train"].items() if not r.messages]
    instruct = bool(m.tokenizer.chat_template) and m.spec.data.template == "auto"
    rows = len(m.raw["train"])
    if instruct and not chats:
        what = "the model is an instruct model (it has a chat template), the rows are raw text"
        yield found("instruct-raw", what, m.where(raw), raw)
    elif not instruct and chats and rows < _BASE_NEEDS:
        yield found("base-few-rows", f"a base model and {rows} chats", m.where(chats), chats)
    else:
        kind = "instruct model, chats" if instruct else "base model"
        yield found("base-or-instruct", f"{kind}, {rows} rows: they go together", "all rows")


CHECKS: tuple[Callable[[Material], Iterator[Finding]], ...] = (
    lengths,
    duplicates,
    overlap,
    ends,
    beginnings,
    special_tokens,
    roles,
    default_system,
    share_trained,
    base_or_instruct,
)


def look(spec: RunSpec, data: Dataset, tokenizer: Any, config: dict[str, Any]) -> tuple[Finding, ...]:
    """All findings, errors first."""
    from finetune.data.checks import CHECKS

    seen = gather(spec, data, tokenizer, config)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted((f for check in CHECKS for f in check(seen)), key=lambda f: order[f.severity]))
