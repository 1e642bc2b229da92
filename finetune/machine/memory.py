"""How much memory a run will need at its peak, by part, and the smallest change that makes it fit.

The formula counts what is alive when the loss goes back through the output layer, which is where a
causal language model peaks: weights, adapter and optimizer, what every block keeps for the way back, and
the tiles of trl's fused output layer. What a block keeps was counted with torch's saved-tensor hooks on
Llama blocks (transformers 5.23, peft 0.21); `benchmarks/memory_prediction.py` checks the whole against
measured peaks. GPU figures follow the same count and have not been measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.spec import LORA_LIKE, RunSpec
from finetune.weights.base import Shape, weight_files

SAFE_SHARE = 0.9
_MIB = 2**20
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Resident memory after `import trl` (513 MiB) and what grows until the first step (measured, see above).
_RUNTIME_CPU = 600 * _MIB
# CUDA's context and its libraries' workspaces: an estimate.
_RUNTIME_CUDA = 600 * _MIB
# trl's fused output layer works in tiles of at most so many tokens and columns.
_TILE_TOKENS, _TILE_COLUMNS = 4096, 32768
# Bytes an element of a tile while it goes back: some nine float32 copies and a mask in torch (CPU); in
# place in Triton (CUDA). This and the runtime were fitted to the settings of the benchmark.
_TILE_CPU, _TILE_CUDA = 36, 6
# On a CPU, blocks below the threshold that `stacks.trl.environment` sets stay in glibc's heap; larger ones
# are mapped, and given back when they are freed. Between the kept blocks of the hidden size the heap is left
# with holes of as many short-lived ones (a step of SmolLM2 asks for 67 a layer, and keeps 6), so it grows to
# this many times what is alive of them: 2.5 to 2.7 in the short settings of the benchmark. With the threshold
# at 128 KiB it does not, but a step of short rows takes a tenth to a fifth more processor time.
HEAP_BLOCK_BYTES, _HEAP_GROWTH = 2**20, 2.6


@dataclass(frozen=True)
class Prediction:
    """Bytes by part; ``total`` is the peak.

    Attributes:
        runtime: interpreter, torch and the stack (CPU), or CUDA's context.
        weights: of the base, as quantised.
        adapter: trained weights with gradients and the two moments of AdamW (of ``full``: without the
            weights themselves).
        activations: what one micro-batch keeps for the way back.
        logits: tiles of the output layer.
        loading: the weight files, mapped while the model is read; over before the first step.
    """

    runtime: int
    weights: int
    adapter: int
    activations: int
    logits: int
    loading: int = 0

    @property
    def total(self) -> int:
        """The larger of the peaks of training and of loading."""
        training = self.runtime + self.weights + self.adapter + self.activations + self.logits
        return max(training, self.runtime + self.weights + self.loading)

    def as_dict(self) -> dict[str, int]:
        """Parts and total."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Change:
    """Fields to set, and the peak then."""

    values: Mapping[str, Any]
    total: int


def file_bytes(base: str) -> int:
    """Bytes of the weight files of a model's folder; 0 of a hub id."""
    return sum(path.stat().st_size for path in weight_files(base)) if Path(base).expanduser().is_dir() else 0


def trainable_parameters(shape: Shape, spec: RunSpec) -> int:
    """Weights that the method trains (LoRA: r x (inputs + outputs) of each target)."""
    method = spec.method
    if method.name == "full":
        return shape.parameters
    linears = shape.linears()
    targets = list(linears) if method.targets == "all-linear" else [t for t in method.targets if t in linears]
    if method.name in LORA_LIKE:
        extra = sum(linears[t][1] for t in targets) if method.dora else 0
        return shape.layers * (method.r * sum(sum(linears[t]) for t in targets) + extra)
    if method.name == "prompt-tuning":
        return method.virtual_tokens * shape.hidden
    if method.name == "prefix-tuning":
        return method.virtual_tokens * 2 * shape.layers * shape.kv_heads * shape.head_size
    return shape.layers * sum(linears[t][1] for t in targets)  # IA3 and VeRA: one vector a target, about


def predict(shape: Shape, spec: RunSpec, longest: int, file_bytes: int = 0) -> Prediction:
    """The peak of a resolved spec.

    Args:
        shape: of the base model.
        spec: the run.
        longest: tokens of the longest row after cutting; with packing every row has ``max_length``.
        file_bytes: of the weight files.
    """
    cuda = spec.devices.kind == "cuda"
    length = spec.data.max_length if spec.data.packing else min(longest, spec.data.max_length)
    tokens = (spec.training.micro_batch_size or 1) * length
    width = _BYTES[str(spec.training.dtype)]
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_COLUMNS)
    logits = tile * (_TILE_CUDA if cuda else _TILE_CPU)
    kept = _activations(shape, spec, tokens)
    if spec.training.gradient_checkpointing:
        inputs = shape.layers * shape.hidden * tokens * width
        block = kept // shape.layers
        kept, logits = inputs, max(logits, block)
    adapter = trained_bytes(shape, spec)
    if spec.method.name == "full":
        # Gradients of all weights are there when the activations are gone; the moments stay.
        moments, gradients = adapter * 2 // 3, adapter // 3
        output = shape.vocabulary * shape.hidden * width
        extra = max(0, gradients - kept - logits - output)
        adapter = moments + output + extra
    return Prediction(
        runtime=_RUNTIME_CUDA if cuda else _RUNTIME_CPU,
        weights=weight_bytes(shape, spec),
        adapter=adapter,
        activations=kept,
        logits=logits,
        loading=0 if cuda else file_bytes,
    )


def weight_bytes(shape: Shape, spec: RunSpec) -> int:
    """Of the base: 4 bits a linear weight and 8/64 (with double quantisation) or 32/64 bits of scale."""
    width = _BYTES[str(spec.training.dtype)]
    if spec.method.name != "qlora":
        return shape.parameters * width
    bits = 4 + (8 / 64 + 32 / (64 * 256) if spec.quantisation.double else 32 / 64)
    rest = shape.parameters - shape.linear_parameters
    return round(shape.linear_parameters * bits / 8) + rest * width


def trained_bytes(shape: Shape, spec: RunSpec) -> int:
    """Trained weights, gradients and AdamW's two moments: float32, but bfloat16 in trl's QLoRA."""
    trained = trainable_parameters(shape, spec)
    width = _BYTES[str(spec.training.dtype)] if spec.method.name == "full" else 4
    if spec.method.name == "qlora":
        width = 2
    moments = 2 if spec.training.optimizer == "paged_adamw_8bit" else 2 * width
    weights = 0 if spec.method.name == "full" else width
    return trained * (weights + width + moments)


def _activations(shape: Shape, spec: RunSpec, tokens: int) -> int:
    """What the blocks keep of a token: inputs of norms, attention and MLP, as counted (see above)."""
    width = _BYTES[str(spec.training.dtype)]
    adapted, cpu = spec.method.name in LORA_LIKE, spec.devices.kind == "cpu"
    h, q, kv, i = (
        shape.hidden,
        shape.heads * shape.head_size,
        shape.kv_heads * shape.head_size,
        shape.intermediate,
    )
    # columns of a tensor, bytes of one element, how many of them are kept
    if width == _BYTES["float32"]:
        kept = [(h, 4, 4), (q, 4, 2), (kv, 4, 2)]
        of_mlp = 16 * i
    else:
        # norms in float32, and (on a CPU) inputs of the float32 adapter cast up
        cast = 1 if adapted else 0
        kept = [(h, 4, 4 + 2 * cast), (h, 2, 2), (q, 2, 2), (q, 4, cast), (kv, 2, 2)]
        of_mlp = (8 + 2 * cast) * i
    if adapted:
        of_mlp += 4 * len(shape.linears()) * spec.method.r
    elif spec.method.name == "full":
        kept.append((h, width, 2))
    of_block = tokens * of_mlp
    for columns, size, count in kept:
        block = tokens * columns * size
        of_block += round(count * block * (_HEAP_GROWTH if cpu and block < HEAP_BLOCK_BYTES else 1))
    return shape.layers * of_block


def smallest_change(shape: Shape, spec: RunSpec, longest: int, file_bytes: int, room: int) -> Change | None:
    """The first of ever stronger changes whose peak fits into ``room``; None where none does."""
    for values in _changes(spec, longest):
        changed = _with(spec, values)
        total = predict(shape, changed, longest, file_bytes).total
        if total <= SAFE_SHARE * room:
            return Change(values, total)
    return None


def _changes(spec: RunSpec, longest: int) -> Iterator[dict[str, Any]]:
    """From the one that changes no result to those that do: micro-batch, checkpointing, 4 bits, length."""
    wishes: dict[str, Any] = {}
    micro = spec.training.micro_batch_size or 1
    while micro > 1:
        micro //= 2
        if spec.training.batch_size % (micro * spec.world_size) == 0:
            wishes["training.micro_batch_size"] = micro
            yield dict(wishes)
    if not spec.training.gradient_checkpointing:
        wishes["training.gradient_checkpointing"] = True
        yield dict(wishes)
    if spec.method.name in ("lora", "full"):
        wishes["method.name"] = "qlora" if spec.method.name == "lora" else "lora"
        yield dict(wishes)
        wishes["method.name"] = "qlora"
        yield dict(wishes)
    length = min(longest, spec.data.max_length)
    while length > 256:  # shorter rows are hardly of use
        length //= 2
        wishes["data.max_length"] = length
        yield dict(wishes)


def _with(spec: RunSpec, values: Mapping[str, Any]) -> RunSpec:
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, field = name.split(".")
        sections.setdefault(section, {})[field] = value
    return spec.model_copy(
        update={name: getattr(spec, name).model_copy(update=fields) for name, fields in sections.items()}
    )
