"""Count the memory that training on a GPU needs beside weights, gradients and moments, by stack.

Two moments can be the peak: the loss, when the activations of all layers (or their checkpoints) and the
logits exist together, and the backward pass through one layer, whose activations were computed again. The
bytes were counted with the stacks' own models under torch's fake tensors (torch 2.13, transformers 5.23, peft
0.21, torchtune 0.6.1, litgpt 0.5.13): live storages, as a linear function of the sizes of a layer. unsloth
cannot be imported without a GPU; its bytes of a layer are fitted to the growth of its published context
lengths. `benchmarks/published_memory.toml` has published peaks; docs/explanation/memory.md compares the
predictions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec
from finetune.weights.base import Shape

_QKV, _GATES, _DOWN = ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("down_proj",)
_MASK_BYTES = 2
_BYTES_OF_LIGER = 2  # its kernel writes the gradients over the 16-bit logits of a chunk


@dataclass(frozen=True)
class StackMemory:
    """What a stack keeps in memory, in bytes.

    Attributes:
        logit: of each logit when the loss starts its backward pass, with 16-bit weights.
        logit_float32: the same with float32 weights.
        tile_tokens, tile_columns: the loss works in tiles of at most this size; None: all logits at once.
        query: of each attention channel and token that a layer saves.
        has_own_copies: each float32 adapter of a 16-bit base saves a copy of its input; otherwise the
            adapters of a layer share one.
        is_padded_by_mask: a padded micro-batch has a mask that every layer saves.
        compiled_logit: as ``logit``, if the stack compiles its loss (``training.own_speedups``).
        is_offloading: with own speed-ups, checkpoints go to the memory of the machine.
        shards: several processes share the weights, whatever the strategy is.
        quantises_output: a 4-bit base has a 4-bit output layer too.
        quantised_stream: of each hidden and attention channel and token that a layer saves more with 4 bits.
        checkpoints: whether a single process can checkpoint its activations.
        ties: whether an output layer that shares the embedding's weights is stored once.
        has_liger_loss: whether Liger's kernels replace the loss too (``training.liger_kernels``).
    """

    logit: float
    logit_float32: float
    tile_tokens: int | None = None
    tile_columns: int | None = None
    query: int = 8
    has_own_copies: bool = False
    is_padded_by_mask: bool = False
    compiled_logit: float | None = None
    is_offloading: bool = False
    shards: bool = False
    quantises_output: bool = False
    quantised_stream: int = 0
    checkpoints: bool = True
    ties: bool = True
    has_liger_loss: bool = False


STACK_MEMORY = {
    # trl's fused output layer: Triton works in place on a tile.
    "trl": StackMemory(6, 6, 4096, 32768, has_own_copies=True, is_padded_by_mask=True),
    # transformers' loss: the logits, their float32 copy, log-probabilities and gradients.
    "axolotl": StackMemory(14, 16, has_own_copies=True, is_padded_by_mask=True, has_liger_loss=True),
    # Eight chunks: the logits and all log-probabilities in float32, and one chunk more.
    "torchtune": StackMemory(6.5, 8.5, compiled_logit=2, shards=True),
    # The logits and log-probabilities in the type of the weights; chunks of 128 tokens. Its 4-bit layers do
    # not run without a GPU: what they save more is fitted to one published figure (Llama 2 7B, 1 x 1,304).
    "litgpt": StackMemory(
        4, 8, query=10, shards=True, quantises_output=True, quantised_stream=10, checkpoints=False, ties=False
    ),
    # A fused loss; unsloth chooses the tile by the free memory.
    "unsloth": StackMemory(6, 6, 1024, 32768, has_own_copies=True, is_offloading=True),
}


def get_stack_memory(stack: str) -> StackMemory:
    """Return what a stack keeps; a stack without an entry counts as one with transformers' loss."""
    return STACK_MEMORY.get(stack, STACK_MEMORY["axolotl"])


def count_logit_bytes(shape: Shape, spec: RunSpec, tokens: int) -> int:
    """Return the bytes of the logits, and of the normalised hidden state before them, at the loss."""
    stack = get_stack_memory(spec.stack)
    logit = stack.logit_float32 if spec.training.dtype == "float32" else stack.logit
    if spec.training.own_speedups and stack.compiled_logit is not None:
        logit = stack.compiled_logit
    rows = min(tokens, stack.tile_tokens or tokens)
    columns = min(shape.vocabulary_size, stack.tile_columns or shape.vocabulary_size)
    if spec.training.liger_kernels and stack.has_liger_loss:
        logit, rows, columns = _BYTES_OF_LIGER, _count_liger_rows(shape, tokens), shape.vocabulary_size
    return round(logit * rows * columns) + 9 * shape.hidden_size * tokens


def _count_liger_rows(shape: Shape, tokens: int) -> int:
    """Return the rows of a chunk of Liger's fused loss: as many logits as hidden values, to a power of two.

    Source: ``fused_linear_cross_entropy_forward`` of liger-kernel.
    """
    chunks = math.ceil(shape.vocabulary_size / shape.hidden_size)
    return min(tokens, 1 << (math.ceil(tokens / chunks) - 1).bit_length())


def count_layer_bytes(shape: Shape, spec: RunSpec, length: int, rows: int) -> int:
    """Return the bytes that one layer saves for its backward pass.

    Args:
        shape: shape of the base model.
        spec: the run.
        length: tokens of a row.
        rows: rows of the micro-batch.
    """
    stack = get_stack_memory(spec.stack)
    h, q, i = shape.hidden_size, shape.heads * shape.head_size, shape.intermediate_size
    is_float32, experts = spec.training.dtype == "float32", _active_experts(shape)
    token = 8 * h + stack.query * q * (2 if is_float32 else 1) + 6 * i * experts * (2 if is_float32 else 1)
    if spec.method.name == "full":
        token += 8 * h + (4 if is_float32 else 2) * i
    if spec.method.name == "qlora":
        token += stack.quantised_stream * (h + q)
    if spec.method.name in LORA_LIKE:
        token += _count_input_bytes(shape, spec, own_copies=_saves_own_copies(spec))
    if spec.method.dora or spec.method.name == "ia3":
        token += _count_scaled_bytes(shape, spec)
    if stack.is_padded_by_mask and rows > 1 and not spec.data.packing:
        token += _MASK_BYTES * length
    if spec.training.attention == "eager":  # the probabilities in float32, and in 16 bits for the product
        token += (4 if is_float32 else 6) * shape.heads * length
    return token * length * rows


def count_backward_bytes(shape: Shape, spec: RunSpec, length: int, rows: int) -> int:
    """Return the bytes of the gradients inside a layer, in its MLP or attention, in the backward pass."""
    h, i = shape.hidden_size, shape.intermediate_size * _active_experts(shape)
    if _saves_own_copies(spec):
        token = 10 * h + 6 * i
    else:
        token = (4 * h + 4 * i) * (2 if spec.training.dtype == "float32" else 1)
    if spec.training.attention == "eager":  # the gradients of the probabilities, less what they replace
        token = max(token, (5 if spec.training.dtype == "float32" else 4) * shape.heads * length)
    return token * length * rows


def count_recomputed_bytes(shape: Shape, spec: RunSpec, length: int, rows: int) -> int:
    """Return the peak of one checkpointed layer: what it saves, and its gradients."""
    if spec.stack == "unsloth":
        kv = shape.kv_heads * shape.head_size
        q, i = shape.heads * shape.head_size, shape.intermediate_size * _active_experts(shape)
        return (7 * shape.hidden_size + 4 * q + 10 * kv + 12 * i) * length * rows
    layer_bytes = count_layer_bytes(shape, spec, length, rows)
    return layer_bytes + count_backward_bytes(shape, spec, length, rows)


def count_checkpoint_bytes(shape: Shape, spec: RunSpec, tokens: int) -> int:
    """Return the bytes of the inputs of all layers; two of them if the stack moves them to the machine."""
    width = 4 if spec.training.dtype == "float32" else 2
    is_offloaded = get_stack_memory(spec.stack).is_offloading and spec.training.own_speedups
    return (2 if is_offloaded else shape.layers) * shape.hidden_size * width * tokens


def count_workspace_bytes(shape: Shape, spec: RunSpec) -> int:
    """Return the bytes of weights that are whole for a moment.

    A 4-bit layer is dequantised for its product. A sharded layer is gathered, and the embeddings with it.
    """
    width = 4 if spec.training.dtype == "float32" else 2
    largest = max(inputs * outputs for inputs, outputs in shape.linears().values())
    size = largest * width if spec.method.name == "qlora" else 0
    if is_sharded(spec):
        layer = shape.linear_parameters // shape.layers
        size += shape.embedding_parameters * width
        size += (
            round(layer * (0.52 if spec.method.name == "qlora" else width)) * 2
        )  # the next one comes early
    return size


def can_checkpoint(spec: RunSpec) -> bool:
    """Return whether the stack can checkpoint the activations of this run."""
    return spec.world_size > 1 or get_stack_memory(spec.stack).checkpoints


def is_sharded(spec: RunSpec) -> bool:
    """Return whether the processes of a run share its weights."""
    return spec.world_size > 1 and (spec.devices.strategy == "fsdp" or get_stack_memory(spec.stack).shards)


def has_float32_adapter(spec: RunSpec) -> bool:
    """Return whether the trained weights of an adapter are float32.

    trl casts the adapter of a 4-bit base to bfloat16; with float16, our runner keeps it in float32. torchtune
    and litgpt train in the type of the base.
    """
    if spec.training.dtype == "float32":
        return True
    if spec.stack in ("torchtune", "litgpt"):
        return False
    return not (spec.stack == "trl" and spec.method.name == "qlora" and spec.training.dtype == "bfloat16")


def _saves_own_copies(spec: RunSpec) -> bool:
    """Return whether each adapter saves a copy of its input: it casts the input to its own type."""
    is_cast = has_float32_adapter(spec) and spec.training.dtype != "float32"
    return is_cast and get_stack_memory(spec.stack).has_own_copies


def _count_input_bytes(shape: Shape, spec: RunSpec, *, own_copies: bool) -> int:
    """Return the bytes, for each token, of the inputs that a layer saves for its adapters."""
    width = 4 if spec.training.dtype == "float32" else 2
    linears, targets = shape.linears(), spec.method.targets
    names = list(linears) if targets == "all-linear" else [name for name in targets if name in linears]
    if own_copies or spec.method.dropout:
        mask = 1 if spec.method.dropout else 0
        return sum((width + mask) * linears[name][0] for name in names)
    groups = ((_QKV, shape.hidden_size), (_GATES, shape.hidden_size), (_DOWN, shape.intermediate_size))
    return sum(width * size for group, size in groups if any(name in group for name in names))


def _count_scaled_bytes(shape: Shape, spec: RunSpec) -> int:
    """Return the bytes, for each token, of the values that DoRA and IA3 multiply by a trained vector.

    DoRA saves the output of the layer and that of the adapter. IA3 saves the output of a layer of the
    attention, and casts the input of the last layer of the MLP to float32. Its layers are those of PEFT's
    table, unless the run names others.
    """
    width = 4 if spec.training.dtype == "float32" else 2
    linears, targets = shape.linears(), spec.method.targets
    if spec.method.name == "ia3":
        names = ("k_proj", "v_proj", "down_proj") if targets == "all-linear" else targets
        sizes = {name: linears[name] for name in names if name in linears}
        return sum(4 * i if "down" in name else width * o for name, (i, o) in sizes.items())
    return sum(
        2 * width * o for name, (_, o) in linears.items() if targets == "all-linear" or name in targets
    )


def _active_experts(shape: Shape) -> int:
    """Return how many MLPs compute a token; a mixture of experts has at least two."""
    return 2 if shape.experts > 1 else 1
