"""Components that a torchtune config names: our rows, our base weights, our stream of events.

With this folder on PYTHONPATH, `tune run lora_finetune_single_device --config CONFIG` trains the same;
our runner adds resuming and the probe.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from torch import nn

if TYPE_CHECKING or __package__:
    from finetune.runners import progress
    from finetune.runners.stream import Stream
else:
    import progress
    from stream import Stream

_NAMES = {
    "model.embed_tokens.weight": "tok_embeddings.weight",
    "model.norm.weight": "norm.scale",
    "lm_head.weight": "output.weight",
    "input_layernorm.weight": "sa_norm.scale",
    "post_attention_layernorm.weight": "mlp_norm.scale",
    "self_attn.o_proj.weight": "attn.output_proj.weight",
    "self_attn.q_norm.weight": "attn.normed_q.scale",
    "self_attn.k_norm.weight": "attn.normed_k.scale",
    "mlp.gate_proj.weight": "mlp.w1.weight",
    "mlp.down_proj.weight": "mlp.w2.weight",
    "mlp.up_proj.weight": "mlp.w3.weight",
}


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg, unused-ignore]  # its parents are typed in the stack's environment alone
    """Rows that were tokenised beforehand, in the order of the run."""

    def __init__(
        self, tokenizer: Any, *, path: str, steps: int, batch: int, seed: int, first_step: int
    ) -> None:
        self.stream = Stream(path, steps=steps, batch=batch, seed=seed, first_step=first_step)

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        row = self.stream[index]
        return {"tokens": row["input_ids"], "labels": row["labels"]}


class Tokenless:
    """Stands where torchtune wants a tokenizer: the rows are tokens already, and only padding is left."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id


class Base:
    """Stands where torchtune wants a checkpointer: reads a base model, and leaves writing to our runner.

    torchtune's own does not know Qwen 3, and of the tied Llamas only those with a scaled embedding.
    """

    def __init__(
        self,
        *,
        folder: str,
        revision: str | None = None,
        heads: int,
        kv_heads: int,
        head_size: int,
        interleaved: bool,
        tied: bool,
        should_load_recipe_state: bool = False,
    ) -> None:
        self.folder = base_folder(folder, revision)
        self.heads, self.kv_heads, self.head_size = heads, kv_heads, head_size
        self.interleaved, self.tied = interleaved, tied

    def load_checkpoint(self) -> dict[str, Any]:
        """The weights in torchtune's names."""
        state: dict[str, Any] = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as weights:
                for key in weights.keys():  # noqa: SIM118 - safe_open is no mapping
                    state |= self._renamed(key, weights.get_tensor(key))
        if self.tied:
            state.pop("output.weight", None)
        return {"model": state}

    def save_checkpoint(self, *_: Any, **__: Any) -> None:
        """Nothing: the adapter is written by the runner."""

    def _renamed(self, key: str, value: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = key.split(".")
        inside = parts[1] == "layers"
        prefix, rest = (f"layers.{parts[2]}.", ".".join(parts[3:])) if inside else ("", key)
        if rest.startswith("self_attn.rotary_emb"):
            return {}
        if rest == "self_attn.qkv_proj.weight":
            sizes = [n * self.head_size for n in (self.heads, self.kv_heads, self.kv_heads)]
            cut: Any = value.split
            split = zip("qkv", cut(sizes), strict=True)
            return {f"{prefix}attn.{name}_proj.weight": one.contiguous() for name, one in split}
        if rest == "mlp.gate_up_proj.weight":
            gate, up = value.chunk(2)
            return {f"{prefix}mlp.w1.weight": gate.contiguous(), f"{prefix}mlp.w3.weight": up.contiguous()}
        heads = {"self_attn.q_proj.weight": self.heads, "self_attn.k_proj.weight": self.kv_heads}
        if self.interleaved and rest in heads:
            value = self._neighbours(value, heads[rest])
        return {prefix + _NAMES.get(rest, rest.replace("self_attn.", "attn.")): value}

    def _neighbours(self, weight: torch.Tensor, heads: int) -> torch.Tensor:
        """Rows of each head from (0, 1, …, h, h + 1, …) to (0, h, 1, h + 1, …)."""
        apart = weight.view(heads, 2, self.head_size // 2, weight.shape[1])
        return apart.transpose(1, 2).reshape(weight.shape)


class Events:
    """torchtune's metric logger: every step goes to our stream of events."""

    def __init__(self, *, rows: dict[str, Any], **options: Any) -> None:
        self.progress = progress.Progress(Path(options.pop("run")), Stream(**rows), **options)

    def log_dict(self, payload: dict[str, Any], step: int) -> None:
        """One optimiser step of the recipe, which counts from where it began."""
        norm = payload.get("grad_norm")
        here = step + self.progress.stream.first_step
        self.progress.step(here, float(payload["loss"]), payload["lr"], None if norm is None else float(norm))

    def log(self, *_: Any, **__: Any) -> None:
        """Single values are not used by the recipe's loop."""

    def log_config(self, config: Any) -> None:
        """The config stands in the run's folder already."""

    def close(self) -> None:
        """Nothing is held open."""


def schedule(optimizer: Any, num_training_steps: int, last_epoch: int, **wanted: Any) -> Any:
    """Any schedule of the spec; torchtune ships the cosine alone, and counts from where it began."""
    del num_training_steps, last_epoch
    return progress.schedule(optimizer, **wanted)


def base_folder(base: str, revision: str | None) -> Path:
    """The model's folder; a hub id is fetched."""
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(base, revision=revision))


def lora_qwen3(
    lora_attn_modules: list[str],
    apply_lora_to_mlp: bool = False,
    apply_lora_to_output: bool = False,
    *,
    head_dim: int,
    num_heads: int,
    num_kv_heads: int,
    max_seq_len: int,
    rope_base: float,
    norm_eps: float,
    lora_rank: int,
    lora_alpha: float,
    lora_dropout: float = 0.0,
    quantize_base: bool = False,
    **sizes: Any,
) -> nn.Module:
    """Qwen 3 out of torchtune's own modules: Qwen 2 with a head size of its own, normed q and k, no bias."""
    from torchtune.models.qwen2 import Qwen2RotaryPositionalEmbeddings, lora_qwen2
    from torchtune.modules import MultiHeadAttention, RMSNorm
    from torchtune.modules.peft import LoRALinear

    lora: dict[str, Any] = {"rank": lora_rank, "alpha": lora_alpha, "dropout": lora_dropout}
    whole: nn.Module = lora_qwen2(
        lora_attn_modules,
        apply_lora_to_mlp,
        apply_lora_to_output,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        max_seq_len=max_seq_len,
        norm_eps=norm_eps,
        lora_rank=lora_rank,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        quantize_base=quantize_base,
        **sizes,
    )
    inner, dim = num_heads * head_dim, sizes["embed_dim"]
    shapes = {"q_proj": (dim, inner), "k_proj": (dim, num_kv_heads * head_dim)}
    shapes |= {"v_proj": shapes["k_proj"], "output_proj": (inner, dim)}
    layers: Any = whole.layers
    for layer in layers:
        linears = {
            name: LoRALinear(*shape, **lora, quantize_base=quantize_base)
            if name in lora_attn_modules
            else nn.Linear(*shape, bias=False)
            for name, shape in shapes.items()
        }
        rope = Qwen2RotaryPositionalEmbeddings(dim=head_dim, max_seq_len=max_seq_len, base=rope_base)
        layer.attn = MultiHeadAttention(
            embed_dim=dim,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            **linears,
            pos_embeddings=rope,
            max_seq_len=max_seq_len,
        )
        for name in "qk":
            norm = RMSNorm(head_dim, eps=norm_eps)
            layer.attn.register_module(f"normed_{name}", norm)
            linears[f"{name}_proj"].register_forward_hook(_normed(norm, head_dim))
    return whole


def _normed(norm: nn.Module, head_dim: int) -> Any:
    """Norm each head of a projection; torchtune's own ``q_norm`` comes after the rotation, Qwen's before."""

    def hook(module: nn.Module, given: Any, made: torch.Tensor) -> torch.Tensor:
        del module, given
        normed: torch.Tensor = norm(made.view(*made.shape[:-1], -1, head_dim)).flatten(-2)
        return normed

    return hook


def nf4_of_any_shape() -> None:
    """Let torchtune quantise layers whose size is no multiple of 16,384 (SmolLM2 has some).

    torchao scales 256 blocks together; where that does not divide, the largest number that does is taken.
    """
    from torchao.dtypes import nf4tensor
    from torchtune.modules.low_precision import nf4_linear
    from torchtune.modules.peft import lora

    def fitting(weight: torch.Tensor, block_size: int = 64, scaler_block_size: int = 256) -> Any:
        blocks = weight.numel() // block_size
        return nf4tensor.to_nf4(weight, block_size, math.gcd(blocks, scaler_block_size))

    lora.to_nf4 = nf4_linear.to_nf4 = fitting


nf4_of_any_shape()
