"""Components that our torchtune configs name: rows, base weights, and the logger that writes events.

With this folder on PYTHONPATH, `tune run lora_finetune_single_device --config CONFIG` does the same training;
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
    from finetune.runners.stream import open_stream
else:
    import progress
    from stream import open_stream

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


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg, unused-ignore]  # its parents are typed only in the stack's environment
    """Tokenised rows, in the order of the run."""

    def __init__(self, tokenizer: Any, **stream: Any) -> None:
        self.stream = open_stream(**stream)

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        row = self.stream[index]
        return {"tokens": row["input_ids"], "labels": row["labels"]}


class Tokenless:
    """A stand-in for torchtune's tokenizer: the rows are tokenised already and only need padding."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id


class Base:
    """A stand-in for torchtune's checkpointer: reads a base model, and leaves writing to our runner.

    torchtune's own checkpointer does not support Qwen 3, nor tied Llamas without a scaled embedding.
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
        """Return the weights under torchtune's names."""
        state: dict[str, Any] = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as weights:
                for key in weights.keys():  # noqa: SIM118 - safe_open is no mapping
                    state |= self._rename(key, weights.get_tensor(key))
        if self.tied:
            state.pop("output.weight", None)
        return {"model": state}

    def save_checkpoint(self, *_: Any, **__: Any) -> None:
        """Do nothing: the runner writes the adapter."""

    def _rename(self, key: str, value: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = key.split(".")
        inside = parts[1] == "layers"
        prefix, rest = (f"layers.{parts[2]}.", ".".join(parts[3:])) if inside else ("", key)
        if rest.startswith("self_attn.rotary_emb"):
            return {}
        if rest == "self_attn.qkv_proj.weight":
            sizes = [n * self.head_size for n in (self.heads, self.kv_heads, self.kv_heads)]
            split: Any = value.split
            weights = zip("qkv", split(sizes), strict=True)
            return {f"{prefix}attn.{name}_proj.weight": weight.contiguous() for name, weight in weights}
        if rest == "mlp.gate_up_proj.weight":
            gate, up = value.chunk(2)
            return {f"{prefix}mlp.w1.weight": gate.contiguous(), f"{prefix}mlp.w3.weight": up.contiguous()}
        heads = {"self_attn.q_proj.weight": self.heads, "self_attn.k_proj.weight": self.kv_heads}
        if self.interleaved and rest in heads:
            value = self._interleave(value, heads[rest])
        return {prefix + _NAMES.get(rest, rest.replace("self_attn.", "attn.")): value}

    def _interleave(self, weight: torch.Tensor, heads: int) -> torch.Tensor:
        """Reorder the rows of each head from (0, 1, …, h, h + 1, …) to (0, h, 1, h + 1, …)."""
        halves = weight.view(heads, 2, self.head_size // 2, weight.shape[1])
        return halves.transpose(1, 2).reshape(weight.shape)


class Events:
    """A torchtune metric logger that writes each step as an event."""

    def __init__(self, *, rows: dict[str, Any], **options: Any) -> None:
        self.progress = progress.StepProgress(Path(options.pop("run")), open_stream(**rows), **options)

    def log_dict(self, payload: dict[str, Any], step: int) -> None:
        """Log one optimiser step; the recipe counts from the step that it started at."""
        norm = None if payload.get("grad_norm") is None else float(payload["grad_norm"])
        run_step = step + self.progress.stream.first_step
        self.progress.step(run_step, float(payload["loss"]), payload["lr"], norm)

    def log(self, *_: Any, **__: Any) -> None:
        """Do nothing: the recipe's loop does not log single values."""

    def log_config(self, config: Any) -> None:
        """Do nothing: the run's folder has the config already."""

    def close(self) -> None:
        """Do nothing: no file is open."""


def schedule(optimizer: Any, num_training_steps: int, last_epoch: int, **options: Any) -> Any:
    """Return the scheduler of the spec; torchtune has the cosine only and does not count earlier steps."""
    del num_training_steps, last_epoch
    return progress.build_scheduler(optimizer, **options)


def base_folder(base: str, revision: str | None) -> Path:
    """Return the model's folder; download the model if the name is a hub id."""
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
    """Build Qwen 3 from torchtune's modules: Qwen 2 with its own head size, normalised q and k, no bias."""
    from torchtune.models.qwen2 import Qwen2RotaryPositionalEmbeddings, lora_qwen2
    from torchtune.modules import MultiHeadAttention, RMSNorm
    from torchtune.modules.peft import LoRALinear

    lora: dict[str, Any] = {"rank": lora_rank, "alpha": lora_alpha, "dropout": lora_dropout}
    model: nn.Module = lora_qwen2(
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
    layers: Any = model.layers
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
            linears[f"{name}_proj"].register_forward_hook(_norm_hook(norm, head_dim))
    return model


def _norm_hook(norm: nn.Module, head_dim: int) -> Any:
    """Return a hook that normalises each head of a projection, before the rotation as in Qwen.

    torchtune's own ``q_norm`` comes after the rotation.
    """

    def hook(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        del module, inputs
        heads: torch.Tensor = norm(output.view(*output.shape[:-1], -1, head_dim)).flatten(-2)
        return heads

    return hook


def allow_nf4_of_any_shape() -> None:
    """Let torchtune quantise layers whose size is not a multiple of 16,384 (SmolLM2 has some).

    torchao scales 256 blocks together. If 256 does not divide the number of blocks, this uses the greatest
    common divisor.
    """
    from torchao.dtypes import nf4tensor
    from torchtune.modules.low_precision import nf4_linear
    from torchtune.modules.peft import lora

    def to_nf4(weight: torch.Tensor, block_size: int = 64, scaler_block_size: int = 256) -> Any:
        blocks = weight.numel() // block_size
        return nf4tensor.to_nf4(weight, block_size, math.gcd(blocks, scaler_block_size))

    lora.to_nf4 = nf4_linear.to_nf4 = to_nf4


allow_nf4_of_any_shape()
