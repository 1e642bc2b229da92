"""The speed that a run cannot exceed: the work of a token over the peak of the card.

A token passes each weight of a layer once forward and once backward; checkpointing computes the forward pass
again; full training also computes a gradient of each weight. Each pass is a multiplication and an addition
a weight. Attention over a causal row of T tokens needs 2 T operations a channel forward, and 5 T backward,
where it computes the scores again. The weights are read from memory once a pass and micro-batch, which
limits small micro-batches. The peaks are in `cards.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finetune.machine import memory
from finetune.machine.hardware import Gpu
from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec
from finetune.weights.base import Shape

FILE = Path(__file__).with_name("cards.toml")
# Shares of the limit that trainers reach: 8,000 to 13,000 of 21,300 tokens a second for QLoRA of an 8B model
# on an H100, an expectation and no measurement. Published runs on other cards have 33 % to 80 %.
EXPECTED_SHARES = (0.38, 0.61)
LOWEST_SHARE = 0.2
_VENDOR_WORDS = ("nvidia", "geforce", "tesla")


@dataclass(frozen=True)
class Card:
    """The peaks of a card.

    Attributes:
        flops: type of the computation → floating-point operations a second.
        bandwidth: bytes a second from its memory.
        source: address of the data sheet.
    """

    flops: Mapping[str, float]
    bandwidth: float
    source: str


@dataclass(frozen=True)
class SpeedLimit:
    """The limit of a run on its cards.

    Attributes:
        tokens_per_second: of all processes together.
        flops_per_token: operations of a token in training.
        is_by_memory: whether reading the weights is the limit, and not computing.
    """

    tokens_per_second: float
    flops_per_token: float
    is_by_memory: bool


@cache
def read_cards() -> Mapping[str, Card]:
    """Return the cards by name."""
    cards: dict[str, Card] = {}
    for values in tomllib.loads(FILE.read_text("utf-8"))["cards"]:
        flops = {name: values[name] * 1e12 for name in ("float16", "bfloat16", "float32") if name in values}
        card = Card({"bfloat16": flops["float32"], **flops}, values["bandwidth"] * 1e9, values["source"])
        cards |= {name.lower(): card for name in values["names"]}
    return cards


def find_card(name: str) -> Card | None:
    """Return the card with this name by the driver, or None; a laptop's card is another one."""
    words = [word for word in name.lower().split() if word not in _VENDOR_WORDS]
    return read_cards().get(" ".join(words))


def count_flops(shape: Shape, spec: RunSpec, length: float) -> float:
    """Return the floating-point operations of training on one token of a row with this many tokens."""
    is_full, is_computed_again = spec.method.name == "full", bool(spec.training.gradient_checkpointing)
    passes = 1 + is_computed_again + (2 if is_full else 1)
    layers = 2 * passes * shape.linear_parameters
    output = 2 * (3 if is_full else 2) * shape.vocabulary_size * shape.hidden_size
    attention = (2 * (1 + is_computed_again) + 5) * length * shape.heads * shape.head_size * shape.layers
    adapter = 0
    if spec.method.name in LORA_LIKE:
        adapter = 2 * (3 + is_computed_again) * memory.count_trainable_parameters(shape, spec)
    return layers + output + attention + adapter + _count_reference_flops(shape, spec, length)


def _count_reference_flops(shape: Shape, spec: RunSpec, length: float) -> float:
    """Return the operations of the passes without gradients: DPO has one, KTO three, ORPO none."""
    passes = {"dpo": 1, "kto": 3}.get(spec.method.objective, 0)
    weights = shape.linear_parameters + shape.vocabulary_size * shape.hidden_size
    attention = length * shape.heads * shape.head_size * shape.layers
    return 2 * passes * (weights + attention)


def predict_limit(shape: Shape, spec: RunSpec, length: float, gpus: tuple[Gpu, ...]) -> SpeedLimit | None:
    """Return the limit of a run; None without a GPU, for an unknown card or a mixture of experts.

    Args:
        shape: shape of the base model.
        spec: the run.
        length: mean tokens of a row, of both answers of a preference.
        gpus: the GPUs of this machine; the run uses one for each process.
    """
    cards = [find_card(gpu.name) for gpu in gpus[: spec.devices.processes]]
    if spec.devices.kind != "cuda" or not cards or None in cards or shape.experts > 1 or length <= 0:
        return None
    sequences = memory.count_sequences_at_once(spec)
    length = length * (spec.training.micro_batch_size or 1) / sequences
    work = count_flops(shape, spec, length)
    weights = memory.count_weight_bytes(shape, spec)
    passes = 2 + bool(spec.training.gradient_checkpointing)
    read_bytes = passes * weights / (sequences * length)
    seconds = [
        (work / card.flops[str(spec.training.dtype)], read_bytes / card.bandwidth)
        for card in cards
        if card is not None
    ]
    slowest = max(seconds, key=max)
    return SpeedLimit(spec.world_size / max(slowest), work, is_by_memory=slowest[1] > slowest[0])
