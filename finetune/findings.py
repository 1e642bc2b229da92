"""What is wrong with data, template and tokenizer, before any time is spent: rows, why, remedy.

An error stops the run; a warning and a note do not. The checks answer what users of the stacks ask for
most (issues on masks, truncation, EOS, double BOS, leaks); each is one function below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune import base
from finetune.dataset import Dataset, Outcome
from finetune.rows import Row, read
from finetune.spec import RunSpec
from finetune.template import IGNORED, Encoded, render

Severity = Literal["error", "warning", "note"]
NEAR = 0.85
NEAR_LIMIT = 20_000
_SAMPLE = 2000
_SHOWN = 8


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        code: stable name, for filters.
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
class Material:
    """What the checks look at; ``raw`` and ``encoded`` run in step for rows that were kept."""

    spec: RunSpec
    data: Dataset
    tokenizer: Any
    config: dict[str, Any]
    raw: dict[str, dict[int, Row]]
    encoded: dict[str, list[tuple[int, Encoded]]]

    def where(self, places: Sequence[int], split: str = "train") -> str:
        """``train.jsonl: rows 3, 5, 8 and 4 more``."""
        own = self.spec.data.evaluation if split == "test" and self.spec.data.evaluation else self.spec.data.train
        shown = ", ".join(map(str, places[:_SHOWN]))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return f"{Path(own).name}: row{'s' * (len(places) != 1)} {shown}{more}"


def look(spec: RunSpec, data: Dataset, tokenizer: Any, config: dict[str, Any]) -> tuple[Finding, ...]:
    """All findings, errors first."""
    seen = gather(spec, data, tokenizer, config)
    found = [finding for check in CHECKS for finding in check(seen)]
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda f: order[f.severity]))


def gather(spec: RunSpec, data: Dataset, tokenizer: Any, config: dict[str, Any]) -> Material:
    """Read rows and tokens together."""
    raw: dict[str, dict[int, Row]] = {"train": {}, "test": {}}
    splits = {o.place: o.split for o in data.outcomes if not (spec.data.evaluation and o.split == "test")}
    for row in read(spec.data.train, spec.data.format):
        if isinstance(row, Row):
            raw[splits.get(row.place, "train")][row.place] = row
    if spec.data.evaluation:
        raw["test"] = {r.place: r for r in read(spec.data.evaluation, spec.data.format) if isinstance(r, Row)}
    encoded = {}
    for split in ("train", "test"):
        places = [o.place for o in data.outcomes if o.split == split and o.fate in ("kept", "cut")]
        rows = (row for row, _ in zip(data.encoded(split), range(_SAMPLE), strict=False))
        encoded[split] = list(zip(places, rows, strict=False))
    return Material(spec, data, tokenizer, config, raw, encoded)


def _places(outcomes: Sequence[Outcome], *fates: str, split: str = "train") -> list[int]:
    return [o.place for o in outcomes if o.fate in fates and o.split == split]


def lengths(m: Material) -> Iterator[Finding]:
    """Rows that were cut, lost their answer, were dropped or skipped; rows longer than the model."""
    limit = m.spec.data.max_length
    for split in ("train", "test"):
        for fate, code, what, why, remedy in (
            ("cut", "truncated", f"are cut at data.max_length = {limit}",
             "the end of the answer, and its end token, are not learnt",
             "raise data.max_length, or set data.too_long = 'drop'"),
            ("no answer left", "answer-lost", f"lose their whole answer at data.max_length = {limit} and are dropped",
             "a row without a trained token teaches nothing ('all labels are -100')",
             "raise data.max_length or shorten the prompts"),
            ("too long", "dropped", f"are longer than data.max_length = {limit} and are dropped",
             "they are not learnt from", "raise data.max_length, or set data.too_long = 'truncate'"),
            ("misfit", "misfit", "fit no format and are skipped", "they are not learnt from", "mend them"),
        ):  # fmt: skip
            places = _places(m.data.outcomes, fate, split=split)
            if places:
                yield Finding(code, "warning", f"{len(places)} rows {what}", m.where(places, split), tuple(places), why, remedy)
    window = (m.config.get("text_config") or m.config).get("max_position_embeddings")
    if isinstance(window, int) and m.data.summary["longest"] > window:
        places = [o.place for o in m.data.outcomes if min(o.tokens, limit) > window and o.split == "train"]
        yield Finding(
            "beyond-window", "error", f"{len(places)} rows are longer than the {window} tokens that the model can see",
            m.where(places), tuple(places), "positions beyond the window were never learnt, or crash",
            f"set data.max_length to {window} or less",
        )  # fmt: skip


def duplicates(m: Material) -> Iterator[Finding]:
    """Rows that say the same, and nearly the same."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in m.raw["train"].items():
        groups[row.question, row.answer].append(place)
    again = sorted(p for places in groups.values() for p in places[1:])
    if again:
        yield Finding(
            "duplicates", "warning", f"{len(again)} rows repeat an earlier row word for word", m.where(again),
            tuple(again), "what stands there twice is learnt twice as strongly, and by heart", "delete the repetitions",
        )  # fmt: skip
    skip = set(again)
    near = [(a, b) for a, b in _near({p: f"{r.question}\n{r.answer}" for p, r in m.raw["train"].items() if p not in skip})]
    if near:
        places = sorted({b for _, b in near})
        pairs = ", ".join(f"{a}~{b}" for a, b in near[:4])
        yield Finding(
            "near-duplicates", "note", f"{len(places)} rows are nearly an earlier one (e.g. {pairs})", m.where(places),
            tuple(places), f"at least {NEAR:.0%} of their three-word runs are the same", "keep one of each, or rewrite",
        )  # fmt: skip


def overlap(m: Material) -> Iterator[Finding]:
    """Held-out rows that stand among the training rows, exactly or nearly."""
    asked = {row.question for row in m.raw["train"].values()}
    same = [p for p, row in m.raw["test"].items() if row.question in asked]
    why = "the held-out loss then measures memory, not learning"
    remedy = "take these rows out of one side"
    if same:
        yield Finding(
            "overlap", "warning", f"{len(same)} of {len(m.raw['test'])} held-out rows ask what a training row asks",
            m.where(same, "test"), tuple(same), why, remedy,
        )  # fmt: skip
    texts = {("train", p): f"{r.question}\n{r.answer}" for p, r in m.raw["train"].items()}
    texts |= {("test", p): f"{r.question}\n{r.answer}" for p, r in m.raw["test"].items() if p not in set(same)}
    near = sorted({b[1] for a, b in _near(texts) if a[0] == "train" and b[0] == "test"})
    if near:
        yield Finding(
            "near-overlap", "warning", f"{len(near)} held-out rows are nearly a training row",
            m.where(near, "test"), tuple(near), why, remedy,
        )  # fmt: skip


def _near(texts: dict[Any, str]) -> list[tuple[Any, Any]]:
    """Pairs (earlier, later) with a Jaccard similarity of three-word runs of at least `NEAR` (MinHash)."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=NEAR, num_perm=64)
    pairs, runs = [], {}
    for key, text in list(texts.items())[:NEAR_LIMIT]:
        words = text.lower().split()
        if len(words) < 6:  # noqa: PLR2004 - too short for runs to mean anything
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
    stops = base.stop_tokens(m.spec.model.base, m.config) | {m.tokenizer.eos_token_id}
    cut = set(_places(m.data.outcomes, "cut"))
    missing = []
    for place, row in m.encoded["train"]:
        trained = [label for label in row.labels if label != IGNORED]
        if place not in cut and trained[-1] not in stops:
            missing.append(place)
    if missing:
        names = ", ".join(repr(m.tokenizer.decode([s])) for s in sorted(s for s in stops if s is not None))
        yield Finding(
            "end-not-trained", "warning", f"the trained part of {len(missing)} rows ends in no token that stops the model",
            m.where(missing), tuple(missing), f"the model then never learns to stop (it stops on {names})",
            "use a template whose assistant turn ends in the end-of-turn token",
        )  # fmt: skip
    if m.tokenizer.pad_token_id is not None and m.tokenizer.pad_token_id == m.tokenizer.eos_token_id:
        yield Finding(
            "pad-is-end", "note", f"the padding token is the end token ({m.tokenizer.eos_token!r})", "the tokenizer", (),
            "tools that mask the padding by its id then mask the end token too, and the model never stops",
            "nothing here: the labels are laid before padding. Mind it when the data go elsewhere",
        )  # fmt: skip


def beginnings(m: Material) -> Iterator[Finding]:
    """Two BOS tokens where one belongs."""
    bos = m.tokenizer.bos_token_id
    if bos is None:
        return
    twice = [p for p, row in m.encoded["train"] if row.input_ids[:2] == [bos, bos]]
    if twice:
        yield Finding(
            "double-bos", "warning", f"{len(twice)} rows begin with two {m.tokenizer.bos_token!r} tokens", m.where(twice),
            tuple(twice), "the model never saw that in its training, and answers worse",
            "take the token out of the rows' text or out of the template",
        )  # fmt: skip


def special_tokens(m: Material) -> Iterator[Finding]:
    """Ids without an embedding, special tokens never trained, special tokens written in the rows' text."""
    used = {token for split in m.encoded.values() for _, row in split for token in row.input_ids}
    size = (m.config.get("text_config") or m.config).get("vocab_size")
    beyond = sorted(t for t in used if isinstance(size, int) and t >= size)
    if beyond:
        places = [p for p, row in m.encoded["train"] if not set(beyond).isdisjoint(row.input_ids)]
        yield Finding(
            "no-embedding", "error", f"{len(beyond)} token ids are beyond the model's {size} embeddings ({beyond[:4]})",
            m.where(places), tuple(places), "the tokenizer is not the model's own; training would crash",
            "use the tokenizer that came with the weights",
        )  # fmt: skip
    special = {t for t in used if t in set(m.tokenizer.all_special_ids)} | {
        t for t in used if m.tokenizer.convert_ids_to_tokens(t) in m.tokenizer.get_added_vocab()
    }
    weak = _untrained(m, sorted(special - set(beyond)))
    if weak:
        names = ", ".join(repr(m.tokenizer.convert_ids_to_tokens(t)) for t in weak[:5])
        places = [p for p, row in m.encoded["train"] if not set(weak).isdisjoint(row.input_ids)]
        yield Finding(
            "untrained-tokens", "warning", f"the embeddings of {names} look untrained (far shorter than the others)",
            m.where(places), tuple(places), "LoRA does not train embeddings, so the model cannot tell these tokens apart",
            "take the instruct model, or a template made of trained tokens (data.template = 'alpaca')",
        )  # fmt: skip
    marks = [t for t in m.tokenizer.all_special_tokens if len(t) > 2]  # noqa: PLR2004
    for split, rows in m.raw.items():
        places = [p for p, row in rows.items() if any(t in row.question + row.answer for t in marks)]
        if places and m.spec.data.format != "text":
            yield Finding(
                "special-in-text", "warning", f"{len(places)} rows contain special tokens in their text",
                m.where(places, split), tuple(places), "they end turns or begin new ones in the middle of a sentence",
                "the template writes them: give the bare turns",
            )  # fmt: skip


def _untrained(m: Material, tokens: list[int]) -> list[int]:
    """Of these tokens the ones whose embedding is shorter than a tenth of the median."""
    from safetensors import safe_open

    if not tokens:
        return []
    for path in base.weight_files(m.spec.model.base):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if name.endswith(("embed_tokens.weight", "wte.weight")):
                    rows = file.get_slice(name)
                    count = rows.get_shape()[0]
                    sample = rows[: min(count, 4000)].float().norm(dim=1)
                    median = float(sample.median())
                    norms = {t: float(rows[t : t + 1].float().norm()) for t in tokens if t < count}
                    return [t for t, norm in norms.items() if norm < 0.1 * median]
    return []


def roles(m: Material) -> Iterator[Finding]:
    """Turns out of order, empty answers."""
    disorder, empty = [], []
    for place, row in m.raw["train"].items():
        if not row.messages:
            continue
        order = [t.role for t in row.messages if t.role != "tool"]
        order = order[1:] if order[:1] == ["system"] else order
        wanted = ["user", "assistant"] * len(order)
        if order != wanted[: len(order)]:
            disorder.append(place)
        if any(t.role == "assistant" and not t.content.strip() for t in row.messages):
            empty.append(place)
    if disorder:
        yield Finding(
            "role-order", "warning", f"the turns of {len(disorder)} rows do not alternate user, assistant",
            m.where(disorder), tuple(disorder), "most templates and models know no other order",
            "merge neighbours of one role; put the system turn first",
        )  # fmt: skip
    if empty:
        yield Finding(
            "empty-answer", "warning", f"{len(empty)} rows have an empty answer", m.where(empty), tuple(empty),
            "the model learns to say nothing", "fill or delete them",
        )  # fmt: skip


def default_system(m: Material) -> Iterator[Finding]:
    """A system turn that nobody wrote but the template."""
    without = [p for p, r in m.raw["train"].items() if r.messages and r.messages[0].role != "system"]
    if not without or not m.tokenizer.chat_template:
        return
    mark = "Zebra 4711"
    try:
        shown = render([{"role": "user", "content": mark}], m.tokenizer)
    except Exception:  # noqa: BLE001 - a template may refuse anything; then encode() has said so
        return
    before = shown.partition(mark)[0]
    words = before
    for token in m.tokenizer.all_special_tokens:
        words = words.replace(token, " ")
    if len(words.split()) > 4:  # noqa: PLR2004 - more than the names of two roles
        text = " ".join(words.split())
        yield Finding(
            "default-system", "warning", f"the template puts a system text of its own before {len(without)} rows: {text!r}",
            m.where(without), tuple(without), "the model learns your answers under that text; without it they may not come",
            "write the system turn that you will use later into the rows, or name another data.template",
        )  # fmt: skip


def share_trained(m: Material) -> Iterator[Finding]:
    """How much of what is read is learnt from."""
    trained, read_ = m.data.summary["trained_tokens"], m.data.summary["train_tokens"]
    if trained < 0.05 * read_:
        worst = sorted(m.encoded["train"], key=lambda pr: pr[1].trained / len(pr[1].input_ids))
        places = [p for p, _ in worst[:_SHOWN]]
        yield Finding(
            "few-trained", "note", f"only {trained / read_:.1%} of the tokens are trained ({trained:,} of {read_:,})",
            m.where(places), tuple(places), "the time goes into reading prompts",
            "shorten the prompts, or train on everything (data.loss_on = 'everything')",
        )  # fmt: skip


def base_or_instruct(m: Material) -> Iterator[Finding]:
    """Whether this model, as far as its files tell, fits these data."""
    chats = [p for p, r in m.raw["train"].items() if r.messages]
    rawest = [p for p, r in m.raw["train"].items() if not r.messages]
    instruct = bool(m.tokenizer.chat_template) and m.spec.data.template == "auto"
    rows = len(m.raw["train"])
    if instruct and rawest and not chats:
        yield Finding(
            "instruct-raw", "warning", "the model is an instruct model (it has a chat template), the rows are raw text",
            m.where(rawest), tuple(rawest), "the template is not applied to them, so the chat ability may suffer",
            "write the rows as messages, or take the base model of the family",
        )  # fmt: skip
    elif not instruct and chats and rows < 1000:  # noqa: PLR2004
        yield Finding(
            "base-few-rows", "warning", f"a base model and {rows} chats", m.where(chats), tuple(chats),
            "a base model learns the form of a chat only from many rows; below about a thousand an instruct "
            "model of the family does better", "take the instruct model of the family",
        )  # fmt: skip
    else:
        kind = "instruct model, chats" if instruct else "base model"
        yield Finding(
            "base-or-instruct", "note", f"{kind}, {rows} rows: they go together", "all rows", (),
            "with few rows the instruct model of a family learns a style faster, with many the base model is freer",
            "nothing",
        )  # fmt: skip


CHECKS: tuple[Callable[[Material], Iterator[Finding]], ...] = (
    lengths, duplicates, overlap, ends, beginnings, special_tokens, roles, default_system, share_trained,
    base_or_instruct,
)  # fmt: skip
