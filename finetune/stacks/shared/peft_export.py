"""An adapter in a stack's own form becomes PEFT's, exactly; nothing is rounded and nothing approximated.

    RUN/work/native.safetensors    the adapter, in the stack's names
    RUN/work/probe.safetensors     some ids, and the logits that the stack's own model gives them
    RUN/adapter/                   adapter_model.safetensors, adapter_config.json, the tokenizer

An adapter is first taken apart into pairs: (layer, linear) → (A: r x inputs, B: outputs x r).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.errors import TrainingFailed
from finetune.record import write_text
from finetune.spec import RunSpec
from finetune.weights.family import ATTENTION, FUSED, MLP, Family

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


def from_torchtune(state: State, family: Family, trained: tuple[str, ...]) -> Pairs:
    """Pairs of torchtune's adapter.

    Where torchtune rotates neighbouring channels (Llama, Mistral, Gemma) it has reordered the rows of q
    and k, and they are put back. It has not for Qwen and Phi, though its own export to PEFT believes so
    of every family: that export gives wrong adapters for Qwen.
    """
    halves: dict[tuple[int, str], dict[str, Tensor]] = {}
    for key, value in state.items():
        hit = re.fullmatch(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([ab])\.weight", key)
        if hit is None or hit[2] not in _TORCHTUNE:
            raise TrainingFailed(f"torchtune's adapter holds {key}, which has no place in PEFT's form")
        halves.setdefault((int(hit[1]), _TORCHTUNE[hit[2]]), {})[hit[3]] = value
    heads = {"q_proj": family.shape.heads, "k_proj": family.shape.kv_heads}
    pairs = {}
    for (layer, name), half in halves.items():
        b = half["b"]
        if family.interleaved and name in heads:
            b = _halves_first(b, heads[name], family.shape.head_size)
        pairs[layer, name] = (half["a"], b)
    return _complete(pairs, family, trained)


def from_litgpt(state: State, family: Family, trained: tuple[str, ...]) -> Pairs:
    """Pairs of litgpt's adapter, which keeps q, k and v (those that are trained) in one."""
    sizes = {name: family.shape.linears()[name][1] for name in ATTENTION[:3] if name in trained}
    pairs: Pairs = {}
    for key in (k for k in state if k.endswith(".lora_A")):
        hit = re.fullmatch(r"transformer\.h\.(\d+)\.(\w+\.\w+)\.lora_A", key)
        if hit is None or hit[2] not in ("attn.qkv", *_LITGPT):
            raise TrainingFailed(f"litgpt's adapter holds {key}, which has no place in PEFT's form")
        layer, a, b = int(hit[1]), state[key], state[key[:-1] + "B"]
        if hit[2] == "attn.qkv":
            cut: Any = b.split
            parts = zip(sizes, a.chunk(len(sizes)), cut(list(sizes.values())), strict=True)
            pairs |= {(layer, name): (one_a, one_b) for name, one_a, one_b in parts}
        else:
            pairs[layer, _LITGPT[hit[2]]] = (a, b)
    return _complete(pairs, family, trained)


def to_peft(pairs: Pairs, spec: RunSpec, family: Family) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """PEFT's tensors and its config.

    Where transformers keeps layers in one matrix (Phi) their adapters become one of the summed rank: the
    As one above another, the Bs along a diagonal. The product is the same, as is the scale.
    """
    method = spec.method
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for (layer, name), pair in (_fuse(pairs, family) if family.fused else pairs).items():
        block = "mlp" if name in (*MLP, "gate_up_proj") else "self_attn"
        where = f"base_model.model.model.layers.{layer}.{block}.{name}"
        for letter, tensor in zip("AB", pair, strict=True):
            tensors[f"{where}.lora_{letter}.weight"] = tensor.contiguous()
        ranks[name] = pair[0].shape[0]
    power = 0.5 if method.rslora else 1.0
    wider = {name: rank for name, rank in ranks.items() if rank != method.r}
    return tensors, {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": spec.model.base,
        "revision": spec.model.revision,
        "r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "use_rslora": method.rslora,
        "bias": "none",
        "target_modules": sorted(ranks),
        "rank_pattern": wider,
        "alpha_pattern": {n: method.alpha * (rank / method.r) ** power for n, rank in wider.items()},
        "inference_mode": True,
    }


def write(
    run: Path,
    spec: RunSpec,
    family: Family,
    trained: tuple[str, ...],
    take_apart: Callable[[State, Family, tuple[str, ...]], Pairs],
) -> Path:
    """Write ``RUN/adapter`` from what the stack left in ``RUN/work``.

    Raises:
        TrainingFailed: the stack left nothing, or something else than the spec asks for.
    """
    from safetensors.torch import load_file, save_file

    native = run / "work" / "native.safetensors"
    if not native.is_file():
        raise TrainingFailed(f"{spec.stack} ended without writing {native}; see {run / 'log.txt'}")
    tensors, config = to_peft(take_apart(load_file(native), family, trained), spec, family)
    adapter = run / "adapter"
    adapter.mkdir(exist_ok=True)
    save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    write_text(adapter / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    return adapter


def _complete(pairs: Pairs, family: Family, trained: tuple[str, ...]) -> Pairs:
    wanted = {(layer, name) for layer in range(family.shape.layers) for name in trained}
    if set(pairs) != wanted:
        other = ", ".join(f"layer {layer} {name}" for layer, name in sorted(set(pairs) ^ wanted)[:5])
        raise TrainingFailed(f"the trained adapter is not of the layers asked for; it differs at {other}")
    return pairs


def _halves_first(b: Tensor, heads: int, head_size: int) -> Tensor:
    """Rows of each head from (0, h, 1, h + 1, …) to (0, 1, …, h, h + 1, …), h being half of its size."""
    apart = b.view(heads, head_size // 2, 2, b.shape[-1])
    return apart.transpose(1, 2).reshape(heads * head_size, b.shape[-1])


def _fuse(pairs: Pairs, family: Family) -> Pairs:
    import torch

    outputs = {name: sizes[1] for name, sizes in family.shape.linears().items()}
    fused: Pairs = {}
    for layer in sorted({layer for layer, _ in pairs}):
        here = {name: pair for (one, name), pair in pairs.items() if one == layer}
        for whole, parts in FUSED.items():
            present = [name for name in parts if name in here]
            if not present:
                continue
            a = torch.cat([here[name][0] for name in present])
            b = a.new_zeros(sum(outputs[name] for name in parts), a.shape[0])
            row = column = 0
            for name in parts:
                if name in here:
                    part = here[name][1]
                    b[row : row + part.shape[0], column : column + part.shape[1]] = part
                    column += part.shape[1]
                row += outputs[name]
            fused[layer, whole] = (a, b)
        alone = [name for name in here if not any(name in parts for parts in FUSED.values())]
        fused |= {(layer, name): here[name] for name in alone}
    return fused
