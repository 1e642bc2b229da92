"""The base model as files: its shape, its stop tokens, its fingerprint. No weight is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import ModelError

_SAMPLE = 1 << 20
_OTHER_FORMS = ["*.pth", "*.pt", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.onnx", "original/*", "onnx/*"]


@dataclass(frozen=True)
class Shape:
    """What memory and time depend on, of a decoder with gated MLPs (Llama, Qwen, Mistral, Gemma …).

    Attributes:
        layers, hidden, intermediate, vocabulary: the usual sizes.
        heads, kv_heads, head_size: of attention.
        tied: whether the output layer shares the embedding's weights.
        experts: MLPs a layer; 1 where it is no mixture of experts.
    """

    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_size: int
    tied: bool
    experts: int = 1

    def linears(self) -> dict[str, tuple[int, int]]:
        """Linear layers of one block: PEFT's usual name → (inputs, outputs)."""
        q, kv = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, q),
            "k_proj": (self.hidden, kv),
            "v_proj": (self.hidden, kv),
            "o_proj": (q, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """Weights of all blocks' linear layers: what a 4-bit base quantises."""
        per = {name: a * b for name, (a, b) in self.linears().items()}
        mlp = sum(per[n] for n in ("gate_proj", "up_proj", "down_proj"))
        return self.layers * (sum(per.values()) - mlp + self.experts * mlp)

    @property
    def embedding_parameters(self) -> int:
        """Embedding and, where it is not tied, the output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights (biases and the small vectors of normalisation left out but for the latter)."""
        return self.linear_parameters + self.embedding_parameters + (2 * self.layers + 1) * self.hidden


def located(base: str) -> Path | None:
    """The model's folder; None for a hub id.

    Raises:
        ModelError: it is neither.
    """
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    if base.startswith(("/", ".", "~")) or base.count("/") != 1:
        raise ModelError(f"there is no model folder {base}, and it is no hub id (owner/name) either")
    return None


def config(base: str, revision: str | None = None, *, trust_remote_code: bool = False) -> dict[str, Any]:
    """The model's config.json (of a hub id: through transformers).

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    folder = located(base)
    if folder is not None:
        try:
            told = json.loads((folder / "config.json").read_text("utf-8"))
        except FileNotFoundError:
            raise ModelError(
                f"{base} has no config.json, so it is no model in Hugging Face's layout; "
                f"`advisor inspect {base}` says what it is and how to convert it"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"{folder / 'config.json'} is not JSON: {error}") from None
        return dict(told)
    from transformers import AutoConfig

    try:
        found = AutoConfig.from_pretrained(base, revision=revision, trust_remote_code=trust_remote_code)
    except Exception as error:  # noqa: BLE001 - whatever the hub's client raises
        raise ModelError(
            f"{base} is neither a model's folder here nor one that the hub gives: "
            f"{str(error).splitlines()[0]}"
        ) from None
    return dict(found.to_dict())


def fetch(base: str, revision: str | None = None) -> Path:
    """The model's folder; a hub's model is brought into its cache, so that training needs no network.

    Raises:
        ModelError: the hub does not give it, and the cache does not hold it.
    """
    if (here := located(base)) is not None:
        return here.resolve()
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(base, revision=revision, ignore_patterns=[*_OTHER_FORMS, "*.bin"])
        if not weight_files(folder):
            folder = snapshot_download(base, revision=revision, ignore_patterns=_OTHER_FORMS)
    except Exception as error:  # noqa: BLE001 - whatever the hub's client raises
        raise ModelError(f"{base} cannot be fetched from the hub: {str(error).splitlines()[0]}") from None
    return Path(folder)


def shape(told: dict[str, Any]) -> Shape | None:
    """The shape from a config.json; None where the family names its sizes in a way that is not known."""
    text = told.get("text_config") or told
    try:
        heads, hidden = int(text["num_attention_heads"]), int(text["hidden_size"])
        return Shape(
            layers=int(text["num_hidden_layers"]),
            hidden=hidden,
            intermediate=int(text["intermediate_size"]),
            vocabulary=int(text["vocab_size"]),
            heads=heads,
            kv_heads=int(text.get("num_key_value_heads") or heads),
            head_size=int(text.get("head_dim") or hidden // heads),
            tied=bool(text.get("tie_word_embeddings", told.get("tie_word_embeddings", False))),
            experts=int(text.get("num_local_experts") or text.get("num_experts") or 1),
        )
    except (KeyError, TypeError, ValueError):
        return None


def stop_tokens(base: str, told: dict[str, Any]) -> set[int]:
    """Ids on which generation stops: of generation_config.json, else of config.json."""
    path = Path(base).expanduser() / "generation_config.json"
    found: Any = None
    if path.is_file():
        found = json.loads(path.read_text("utf-8")).get("eos_token_id")
    if found is None:
        found = (told.get("text_config") or told).get("eos_token_id")
    return {found} if isinstance(found, int) else set(found or ())


def weight_files(base: str) -> list[Path]:
    """The safetensors files of a model's folder, in order of name."""
    return sorted(Path(base).expanduser().glob("*.safetensors"))


def fingerprint(base: str, revision: str | None = None) -> str:
    """Tells two models apart without reading all of them.

    Of a folder: sha256 over config.json, tokenizer.json and, of each weight file, its name, its size
    and a megabyte of its beginning, middle and end. Of a hub id: the id and the revision.
    """
    folder = Path(base).expanduser()
    if not folder.is_dir():
        return f"hub:{base}@{revision or 'main'}"
    digest = hashlib.sha256()
    for part in _parts(folder, weight_files(base)):
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _parts(folder: Path, weights: list[Path]) -> Iterator[bytes]:
    for name in ("config.json", "tokenizer.json"):
        path = folder / name
        yield name.encode()
        yield path.read_bytes() if path.is_file() else b""
    for path in weights:
        size = path.stat().st_size
        yield f"{path.name}:{size}".encode()
        with path.open("rb") as file:
            for start in (0, max(0, size // 2), max(0, size - _SAMPLE)):
                file.seek(start)
                yield file.read(_SAMPLE)
