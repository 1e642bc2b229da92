"""Predict the peak memory of a run, and find the smallest change that makes it fit.

A causal language model reaches its peak when the backward pass starts at the output layer, or inside a layer
that is computed again. The formula counts the memory at that moment: weights, adapter, optimizer, the
activations that every block saves for the backward pass, and the logits of the stack's loss.

On a CPU the activations of a block were counted with torch's saved-tensor hooks on Llama blocks, and
`benchmarks/memory_prediction.py` compares the prediction with measured peaks. `activations` has the count for
GPUs. The evaluation after the training counts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from advisor.files import expand_home
from finetune.machine import activations
from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec
from finetune.weights.base import Shape, list_weight_files

# torch's allocator reserves up to 15 % more than it counts as allocated (benchmarks/published_memory.toml).
SAFE_SHARE = 0.85
# Tokens, padding included, of a batch of the evaluation, and of the part that the loss works on at once.
EVALUATION_TOKENS, LOSS_TOKENS = 1024, 256
_MIB = 2**20
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Resident memory after `import trl` (513 MiB), plus its measured growth until the first step.
_RUNTIME_CPU = 600 * _MIB
# CUDA's context and the workspaces of its libraries: an estimate.
_RUNTIME_CUDA = 600 * _MIB
# NCCL's buffers on a GPU of a run with several, which torch does not count: an estimate.
_RUNTIME_NCCL = 400 * _MIB
# trl's fused output layer works in tiles of at most this many tokens and columns.
_TILE_TOKENS, _TILE_COLUMNS = 4096, 32768
# Bytes per element of a tile in the backward pass on a CPU: torch needs about nine float32 copies and a mask.
# This constant and the runtime were fitted to the benchmark's settings.
_TILE_CPU = 36
# On a CPU, blocks below the threshold that `stacks.trl.environment` sets stay in glibc's heap; larger blocks
# are mapped, and returned to the system when they are freed. A step of SmolLM2 allocates 67 blocks of the
# hidden size per layer and keeps 6 of them. The freed blocks leave holes, so the heap grows to this many
# times its live bytes (2.5 to 2.7 in the benchmark's short settings). A threshold of 128 KiB prevents the
# growth, but a step of short rows then needs 10 % to 20 % more processor time.
HEAP_BLOCK_BYTES, _HEAP_GROWTH = 2**20, 2.6


@dataclass(frozen=True)
class Prediction:
    """Bytes by part; ``total`` is the peak of training.

    Attributes:
        runtime: interpreter, torch and the stack (CPU), or CUDA's context and the buffers of NCCL.
        weights: the base weights, quantised if the run quantises them.
        reference: the second model that a preference of all weights needs; an adapter is turned off instead.
        adapter: trained weights with gradients and the two moments of AdamW (for ``full``, without the
            weights).
        activations: what one micro-batch saves for the backward pass.
        logits: what the loss needs, or the layer that is computed again, whichever is larger.
        loading: the weight files, mapped while the model loads; freed before the first step.
        workspace: weights that are whole for a moment: a dequantised layer, gathered layers.
        evaluation: the whole peak of the evaluation after the training, in which each process but the first
            has ended; 0 if there is none.
    """

    runtime: int
    weights: int
    adapter: int
    activations: int
    logits: int
    loading: int = 0
    workspace: int = 0
    evaluation: int = 0
    reference: int = 0

    @property
    def total(self) -> int:
        """The peak of training or of loading, whichever is larger."""
        steady = self.runtime + self.weights + self.reference + self.workspace
        return max(steady + self.adapter + self.activations + self.logits, steady + self.loading)

    def as_dict(self) -> dict[str, int]:
        """Return the parts and the total."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Change:
    """Fields to set, and the peak with them."""

    values: Mapping[str, Any]
    total: int


def count_file_bytes(base: str) -> int:
    """Return the bytes of the weight files in a model's folder; 0 for a hub id."""
    return sum(path.stat().st_size for path in list_weight_files(base)) if expand_home(base).is_dir() else 0


def count_trainable_parameters(shape: Shape, spec: RunSpec) -> int:
    """Return the number of trained weights (LoRA: r x (inputs + outputs) per target)."""
    method = spec.method
    if method.name == "full":
        return shape.parameters
    linears = shape.linears()
    targets = list(linears) if method.targets == "all-linear" else [t for t in method.targets if t in linears]
    if method.name in LORA_LIKE:
        extra = sum(linears[t][1] for t in targets) if method.dora else 0
        return shape.layers * (method.r * sum(sum(linears[t]) for t in targets) + extra)
    if method.name == "prompt-tuning":
        return method.virtual_tokens * shape.hidden_size
    if method.name == "prefix-tuning":
        return method.virtual_tokens * 2 * shape.layers * shape.kv_heads * shape.head_size
    return shape.layers * sum(linears[t][1] for t in targets)  # IA3 and VeRA: about one vector per target


def predict_memory(shape: Shape, spec: RunSpec, longest: int, file_bytes: int = 0) -> Prediction:
    """Predict the peak memory of a resolved spec.

    Args:
        shape: shape of the base model.
        spec: the run.
        longest: tokens of the longest row after truncation; with packing every row has ``max_length``.
        file_bytes: bytes of the weight files.
    """
    length = spec.data.max_length if spec.data.packing else min(longest, spec.data.max_length)
    length += spec.method.virtual_tokens if spec.method.name == "prompt-tuning" else 0
    rows = count_sequences_at_once(spec)
    count = _count_gpu_activations if spec.devices.kind == "cuda" else _count_cpu_activations
    activation_bytes, logits = count(shape, spec, length, rows)
    adapter = count_training_state_bytes(shape, spec)
    weights = count_weight_bytes(shape, spec)
    needs_reference = spec.method.name == "full" and spec.method.objective in ("dpo", "kto")
    reference = weights if needs_reference else 0
    if spec.method.name == "full":
        # When the gradients of all weights exist, the activations are freed; the moments remain.
        moments, gradients = adapter * 2 // 3, adapter // 3
        output = shape.vocabulary_size * shape.hidden_size * _count_weight_width(spec)
        extra = max(0, gradients - activation_bytes - logits - output)
        adapter = moments + output + extra
    if activations.is_sharded(spec):
        weights, adapter = weights // spec.world_size, adapter // spec.world_size
    cuda = spec.devices.kind == "cuda"
    return Prediction(
        runtime=_count_runtime_bytes(spec),
        weights=weights,
        adapter=adapter,
        activations=activation_bytes,
        logits=logits,
        loading=0 if cuda else file_bytes,
        workspace=activations.count_workspace_bytes(shape, spec) if cuda else 0,
        evaluation=predict_evaluation(shape, spec, length) if cuda and spec.evaluation.rows else 0,
        reference=reference,
    )


def _count_runtime_bytes(spec: RunSpec) -> int:
    if spec.devices.kind != "cuda":
        return _RUNTIME_CPU
    return _RUNTIME_CUDA + (_RUNTIME_NCCL if spec.world_size > 1 else 0)


def count_sequences_at_once(spec: RunSpec) -> int:
    """Return the sequences of a micro-batch: DPO and ORPO have both answers of each row in memory.

    The passes through the reference save nothing for the backward pass.
    """
    return (spec.training.micro_batch_size or 1) * (2 if spec.method.objective in ("dpo", "orpo") else 1)


def _count_gpu_activations(shape: Shape, spec: RunSpec, length: int, rows: int) -> tuple[int, int]:
    """Return what stays until the backward pass, and what the loss or one layer needs at the peak."""
    tokens = length * rows
    logits = activations.count_logit_bytes(shape, spec, tokens)
    if spec.training.gradient_checkpointing:
        layer_bytes = activations.count_recomputed_bytes(shape, spec, length, rows)
        return activations.count_checkpoint_bytes(shape, spec, tokens), max(logits, layer_bytes)
    activation_bytes = shape.layers * activations.count_layer_bytes(shape, spec, length, rows)
    return activation_bytes, max(logits, activations.count_backward_bytes(shape, spec, length, rows))


def _count_cpu_activations(shape: Shape, spec: RunSpec, length: int, rows: int) -> tuple[int, int]:
    """Return the same for a CPU."""
    tokens = length * rows
    if spec.stack == "trl":
        tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary_size, _TILE_COLUMNS)
        logits = tile * _TILE_CPU
    else:
        logits = activations.count_logit_bytes(shape, spec, tokens)
    activation_bytes = _count_activation_bytes(shape, spec, tokens)
    if spec.training.gradient_checkpointing:
        block = activation_bytes // shape.layers
        activation_bytes = shape.layers * shape.hidden_size * tokens * _BYTES[str(spec.training.dtype)]
        logits = max(logits, block)
    return activation_bytes, logits


def count_weight_bytes(shape: Shape, spec: RunSpec) -> int:
    """Return the bytes of the base weights.

    QLoRA needs 4 bits per linear weight, plus 8/64 bits (double quantisation) or 32/64 bits of scale.
    """
    stack = activations.get_stack_memory(spec.stack)
    table = shape.vocabulary_size * shape.hidden_size
    parameters = shape.parameters + (table if shape.has_tied_embeddings and not stack.ties else 0)
    if spec.method.name != "qlora":
        return parameters * _count_weight_width(spec)
    bits = 4 + (8 / 64 + 32 / (64 * 256) if spec.quantisation.double else 32 / 64)
    small_parameters = shape.linear_parameters + (table if stack.quantises_output else 0)
    rest = parameters - small_parameters
    return round(small_parameters * bits / 8) + rest * _BYTES[str(spec.training.dtype)]


def _count_weight_width(spec: RunSpec) -> int:
    """Return the bytes of a base weight; `full` in float16 trains float32 weights under autocast."""
    is_cast = spec.method.name == "full" and spec.training.dtype == "float16"
    return 4 if is_cast else _BYTES[str(spec.training.dtype)]


def count_training_state_bytes(shape: Shape, spec: RunSpec) -> int:
    """Return the bytes of trained weights, gradients and AdamW's two moments.

    An adapter is float32 or has the type of the base, as the stack keeps it.
    """
    parameters = count_trainable_parameters(shape, spec)
    width = 4 if activations.has_float32_adapter(spec) else 2
    if spec.method.name == "full":
        width = _count_weight_width(spec)
    moments = 2 if spec.training.optimizer == "paged_adamw_8bit" else 2 * width
    weights = 0 if spec.method.name == "full" else width
    return parameters * (weights + width + moments)


def predict_evaluation(shape: Shape, spec: RunSpec, length: int, *, is_quantised: bool | None = None) -> int:
    """Return the peak of the evaluation: one model with its adapter, and the logits of a batch.

    Args:
        shape: shape of the base model.
        spec: the run.
        length: tokens of the longest row.
        is_quantised: whether the base has 4 bits; None: as in the training, which is evaluated first.
    """
    has_four_bits = spec.method.name == "qlora" if is_quantised is None else is_quantised
    width = _BYTES[str(spec.training.dtype)]
    weights = count_weight_bytes(shape, spec) if has_four_bits else shape.parameters * width
    adapter = 0 if spec.method.name == "full" else 4 * count_trainable_parameters(shape, spec)
    # All logits of a batch, and a part of them with a float32 copy and log-probabilities.
    tokens = max(length, EVALUATION_TOKENS)
    logits = shape.vocabulary_size * (tokens * width + LOSS_TOKENS * (width + 8))
    workspace = max(i * o for i, o in shape.linears().values()) * width if has_four_bits else 0
    runtime = _RUNTIME_CUDA if spec.devices.kind == "cuda" else _RUNTIME_CPU
    return runtime + weights + adapter + logits + workspace


def _count_activation_bytes(shape: Shape, spec: RunSpec, tokens: int) -> int:
    """Return the bytes of the activations that a CPU saves: inputs of norms, attention and MLP."""
    width = _BYTES[str(spec.training.dtype)]
    has_adapter, cpu = spec.method.name in LORA_LIKE, spec.devices.kind == "cpu"
    h, q, kv, i = (
        shape.hidden_size,
        shape.heads * shape.head_size,
        shape.kv_heads * shape.head_size,
        shape.intermediate_size,
    )
    # (columns of a tensor, bytes per element, number of such tensors)
    if width == _BYTES["float32"]:
        tensors = [(h, 4, 4), (q, 4, 2), (kv, 4, 2)]
        mlp_bytes = 16 * i
    else:
        # norms in float32, and (on a CPU) the inputs of the float32 adapter, cast to float32
        cast = 1 if has_adapter else 0
        tensors = [(h, 4, 4 + 2 * cast), (h, 2, 2), (q, 2, 2), (q, 4, cast), (kv, 2, 2)]
        mlp_bytes = (8 + 2 * cast) * i
    if has_adapter:
        mlp_bytes += 4 * len(shape.linears()) * spec.method.r
    elif spec.method.name == "full":
        tensors.append((h, width, 2))
    layer_bytes = tokens * mlp_bytes
    for columns, size, count in tensors:
        block = tokens * columns * size
        layer_bytes += round(count * block * (_HEAP_GROWTH if cpu and block < HEAP_BLOCK_BYTES else 1))
    return shape.layers * layer_bytes


def find_smallest_change(
    shape: Shape, spec: RunSpec, longest: int, file_bytes: int, room: int
) -> Change | None:
    """Return the weakest change that fits into ``room`` bytes, or None."""
    for values in _list_changes(spec, longest):
        total = predict_memory(shape, _set_values(spec, values), longest, file_bytes).total
        if total <= SAFE_SHARE * room:
            return Change(values, total)
    return None


def _list_changes(spec: RunSpec, longest: int) -> Iterator[dict[str, Any]]:
    """Yield ever stronger changes; the first ones do not affect the result.

    The order is micro-batch, gradient checkpointing, 4 bits, length.
    """
    values: dict[str, Any] = {}
    micro = spec.training.micro_batch_size or 1
    while micro > 1:
        micro //= 2
        if spec.training.batch_size % (micro * spec.world_size) == 0:
            values["training.micro_batch_size"] = micro
            yield dict(values)
    if not spec.training.gradient_checkpointing and activations.can_checkpoint(spec):
        values["training.gradient_checkpointing"] = True
        yield dict(values)
    if spec.method.name in ("lora", "full"):
        values["method.name"] = "qlora" if spec.method.name == "lora" else "lora"
        yield dict(values)
        values["method.name"] = "qlora"
        yield dict(values)
    length = min(longest, spec.data.max_length)
    while length > 256:  # shorter rows are rarely useful
        length //= 2
        values["data.max_length"] = length
        yield dict(values)


def _set_values(spec: RunSpec, values: Mapping[str, Any]) -> RunSpec:
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, field = name.split(".")
        sections.setdefault(section, {})[field] = value
    return spec.model_copy(
        update={name: getattr(spec, name).model_copy(update=fields) for name, fields in sections.items()}
    )
