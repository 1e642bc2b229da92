"""Convert an adapter from a stack's own format to PEFT's, exactly: without rounding or approximation.

    RUN/work/native.safetensors    the adapter, under the stack's names
    RUN/work/probe.safetensors     token ids, and their logits by the stack's own model
    RUN/adapter/                   adapter_model.safetensors, adapter_config.json, the tokenizer

The intermediate form is pairs of matrices: (layer, linear) → (A: r x inputs, B: outputs x r).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.errors import TrainingError
from finetune.record import write_text
from finetune.spec import RunSpec
from finetune.weights import base
from finetune.weights.family import ATTENTION, FUSED_LAYERS, MLP, ModelFamily

if TYPE_CHECKING:
    from torch import Tensor

    Pairs = dict[tuple[int, str], tuple[Tensor, Tensor]]
    State = Mapping[str, Tensor]

_TORCHTUNE = {
    "attn.q_proj": "q_proj",
    "attn.k_proj": "k_proj",
    "attn.v_proj": "v_proj",
    "attn.output_proj": "o_proj",
    "mlp.w1": "gate_proj",
    "mlp.w2": "down_proj",
    "mlp.w3": "up_proj",
}
_LITGPT = {
    "attn.proj": "o_proj",
    "mlp.fc_1": "gate_proj",
    "mlp.fc_2": "up_proj",
    "mlp.proj": "down_proj",
}


def pairs_from_torchtune(state: State, family: ModelFamily, targets: tuple[str, ...]) -> Pairs:
    """Return the pairs of torchtune's adapter.

    For Llama, Mistral and Gemma, torchtune rotates neighbouring channels and so reorders the rows of q and k;
    this restores their order. For Qwen and Phi it does not reorder them. Its own export to PEFT assumes that
    it always does, and so writes wrong adapters for Qwen.
    """
    halves: dict[tuple[int, str], dict[str, Tensor]] = {}
    for key, value in state.items():
        match = re.fullmatch(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([ab])\.weight", key)
        if match is None or match[2] not in _TORCHTUNE:
            raise TrainingError(f"torchtune's adapter has {key}, which PEFT's format does not have")
        halves.setdefault((int(match[1]), _TORCHTUNE[match[2]]), {})[match[3]] = value
    heads = {"q_proj": family.shape.heads, "k_proj": family.shape.kv_heads}
    pairs = {}
    for (layer, name), half in halves.items():
        b = half["b"]
        if family.has_interleaved_rope and name in heads:
            b = _deinterleave(b, heads[name], family.shape.head_size)
        pairs[layer, name] = (half["a"], b)
    return _check_layers(pairs, family, targets)


def pairs_from_litgpt(state: State, family: ModelFamily, targets: tuple[str, ...]) -> Pairs:
    """Return the pairs of litgpt's adapter, which has one layer for those of q, k and v that it trains."""
    sizes = {name: family.shape.linears()[name][1] for name in ATTENTION[:3] if name in targets}
    pairs: Pairs = {}
    for key in (k for k in state if k.endswith(".lora_A")):
        match = re.fullmatch(r"transformer\.h\.(\d+)\.(\w+\.\w+)\.lora_A", key)
        if match is None or match[2] not in ("attn.qkv", *_LITGPT):
            raise TrainingError(f"litgpt's adapter has {key}, which PEFT's format does not have")
        layer, a, b = int(match[1]), state[key], state[key[:-1] + "B"]
        if match[2] == "attn.qkv":
            split: Any = b.split
            parts = zip(sizes, a.chunk(len(sizes)), split(list(sizes.values())), strict=True)
            pairs |= {(layer, name): (part_a, part_b) for name, part_a, part_b in parts}
        else:
            pairs[layer, _LITGPT[match[2]]] = (a, b)
    return _check_layers(pairs, family, targets)


def to_peft(pairs: Pairs, spec: RunSpec, family: ModelFamily) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return PEFT's tensors and its config.

    If transformers has several layers in one matrix (Phi), their adapters become one adapter with the sum of
    their ranks: the A matrices one above another, the B matrices along a diagonal. Product and scale are the
    same.
    """
    method = spec.method
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for (layer, name), pair in (
        _fuse_pairs(pairs, family) if family.has_fused_projections else pairs
    ).items():
        block = "mlp" if name in (*MLP, "gate_up_proj") else "self_attn"
        prefix = f"base_model.model.model.layers.{layer}.{block}.{name}"
        for letter, tensor in zip("AB", pair, strict=True):
            tensors[f"{prefix}.lora_{letter}.weight"] = tensor.contiguous()
        ranks[name] = pair[0].shape[0]
    power = 0.5 if method.rslora else 1.0
    other_ranks = {name: rank for name, rank in ranks.items() if rank != method.r}
    return tensors, {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.public_name(spec.model.base),
        "revision": spec.model.revision,
        "r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "use_rslora": method.rslora,
        "bias": "none",
        "target_modules": sorted(ranks),
        "rank_pattern": other_ranks,
        "alpha_pattern": {n: method.alpha * (rank / method.r) ** power for n, rank in other_ranks.items()},
        "inference_mode": True,
    }


def write_adapter(
    run: Path,
    spec: RunSpec,
    family: ModelFamily,
    targets: tuple[str, ...],
    read_pairs: Callable[[State, ModelFamily, tuple[str, ...]], Pairs],
) -> Path:
    """Write ``RUN/adapter`` from the stack's adapter in ``RUN/work``.

    Raises:
        TrainingError: there is no adapter, or it does not match the spec.
    """
    from safetensors.torch import load_file, save_file

    native = run / "work" / "native.safetensors"
    if not native.is_file():
        raise TrainingError(f"{spec.stack} ended without writing {native}; see {run / 'log.txt'}")
    tensors, config = to_peft(read_pairs(load_file(native), family, targets), spec, family)
    adapter = run / "adapter"
    adapter.mkdir(exist_ok=True)
    save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    write_text(adapter / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    return adapter


def _check_layers(pairs: Pairs, family: ModelFamily, targets: tuple[str, ...]) -> Pairs:
    expected_pairs = {(layer, name) for layer in range(family.shape.layers) for name in targets}
    if set(pairs) != expected_pairs:
        other = ", ".join(f"layer {layer} {name}" for layer, name in sorted(set(pairs) ^ expected_pairs)[:5])
        raise TrainingError(f"the adapter does not have the layers of the spec; the difference is {other}")
    return pairs


def _deinterleave(b: Tensor, heads: int, head_size: int) -> Tensor:
    """Reorder the rows of each head from (0, h, 1, h + 1, …) to (0, 1, …, h, h + 1, …); h = size / 2."""
    row_pairs = b.view(heads, head_size // 2, 2, b.shape[-1])
    return row_pairs.transpose(1, 2).reshape(heads * head_size, b.shape[-1])


def _fuse_pairs(pairs: Pairs, family: ModelFamily) -> Pairs:
    import torch

    outputs = {name: sizes[1] for name, sizes in family.shape.linears().items()}
    fused_pairs: Pairs = {}
    for layer in sorted({layer for layer, _ in pairs}):
        layer_pairs = {name: pair for (number, name), pair in pairs.items() if number == layer}
        for fused_name, parts in FUSED_LAYERS.items():
            present = [name for name in parts if name in layer_pairs]
            if not present:
                continue
            a = torch.cat([layer_pairs[name][0] for name in present])
            b = a.new_zeros(sum(outputs[name] for name in parts), a.shape[0])
            row = column = 0
            for name in parts:
                if name in layer_pairs:
                    part = layer_pairs[name][1]
                    b[row : row + part.shape[0], column : column + part.shape[1]] = part
                    column += part.shape[1]
                row += outputs[name]
            fused_pairs[layer, fused_name] = (a, b)
        other_layers = [
            name for name in layer_pairs if not any(name in parts for parts in FUSED_LAYERS.values())
        ]
        fused_pairs |= {(layer, name): layer_pairs[name] for name in other_layers}
    return fused_pairs
