"""The files of a base model: shape, stop tokens, fingerprint; loads no weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.files import expand_home
from finetune.errors import ModelError
from finetune.weights.json_files import describe_kind, read_object

_SAMPLE = 1 << 20
_SIZES = (
    *("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "max_position_embeddings"),
)
_MAX_SIZE = 10**9
_MAX_CHARACTERS = 60  # characters of a wrong value in a message
_OTHER_FORMS = ["*.pth", "*.pt", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.onnx", "original/*", "onnx/*"]


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder with gated MLPs (Llama, Qwen, Mistral, Gemma …).

    Attributes:
        layers, hidden_size, intermediate_size, vocabulary_size: as in config.json.
        heads, kv_heads, head_size: sizes of the attention.
        has_tied_embeddings: whether the output layer shares the embedding's weights.
        experts: MLPs per layer; 1 if the model is not a mixture of experts.
    """

    layers: int
    hidden_size: int
    intermediate_size: int
    vocabulary_size: int
    heads: int
    kv_heads: int
    head_size: int
    has_tied_embeddings: bool
    experts: int = 1

    def linears(self) -> dict[str, tuple[int, int]]:
        """Return the linear layers of one block: PEFT's usual name → (inputs, outputs)."""
        q, kv = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden_size, q),
            "k_proj": (self.hidden_size, kv),
            "v_proj": (self.hidden_size, kv),
            "o_proj": (q, self.hidden_size),
            "gate_proj": (self.hidden_size, self.intermediate_size),
            "up_proj": (self.hidden_size, self.intermediate_size),
            "down_proj": (self.intermediate_size, self.hidden_size),
        }

    @property
    def linear_parameters(self) -> int:
        """The weights of all linear layers; a 4-bit base model quantises these."""
        sizes = {name: a * b for name, (a, b) in self.linears().items()}
        mlp = sum(sizes[n] for n in ("gate_proj", "up_proj", "down_proj"))
        return self.layers * (sum(sizes.values()) - mlp + self.experts * mlp)

    @property
    def embedding_parameters(self) -> int:
        """The weights of the embedding and, if it is separate, of the output layer."""
        return self.vocabulary_size * self.hidden_size * (1 if self.has_tied_embeddings else 2)

    @property
    def parameters(self) -> int:
        """All weights except biases."""
        return self.linear_parameters + self.embedding_parameters + (2 * self.layers + 1) * self.hidden_size


def find_folder(base: str) -> Path | None:
    """Return the model's folder, or None for a hub id.

    Raises:
        ModelError: ``base`` is neither an existing folder nor a hub id.
    """
    folder = expand_home(base)
    if folder.is_dir():
        return folder
    if base.startswith(("/", ".", "~")) or base.count("/") != 1:
        raise ModelError(f"model folder {base} does not exist, and {base} is not a hub id (owner/name)")
    return None


def public_name(base: str) -> str:
    """Return a model's name for files that leave the machine: the hub id, or the last name of a folder."""
    folder = expand_home(base)
    if not folder.is_dir():
        return base
    folder = folder.resolve()
    for part in reversed(folder.parts):
        if match := re.fullmatch(r"models--([\w.-]+?)--([\w.-]+)", part):  # the hub's cache
            return f"{match[1]}/{match[2]}"
    return folder.name


def read_model_config(
    base: str, revision: str | None = None, *, trust_remote_code: bool = False
) -> dict[str, Any]:
    """Return the model's config.json; for a hub id, transformers reads it.

    Raises:
        ModelError: the config does not exist, or cannot be read.
    """
    folder = find_folder(base)
    if folder is not None:
        try:
            return _check_config(read_object(folder / "config.json"), str(folder / "config.json"))
        except FileNotFoundError:
            raise ModelError(
                f"{base} has no config.json, so it is not a model in Hugging Face's layout; "
                f"`advisor inspect {base}` shows what it is and how to convert it"
            ) from None
    from transformers import AutoConfig

    try:
        model_config = AutoConfig.from_pretrained(
            base, revision=revision, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # noqa: BLE001 - the hub's client raises many types
        raise ModelError(
            f"{base} is not a local model folder, and the hub does not provide it: "
            f"{str(error).splitlines()[0]}"
        ) from None
    return _check_config(dict(model_config.to_dict()), f"the config of {base}")


def _check_config(model_config: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a config whose parts are objects and whose sizes are possible.

    Raises:
        ModelError: they are not.
    """
    for name in ("text_config", "rope_scaling", "rope_parameters", "quantization_config"):
        if not isinstance(model_config.get(name, {}), dict | None):
            raise ModelError(f"{source}: {name} is {describe_kind(model_config[name])}, not an object")
    text_config = model_config.get("text_config") or model_config
    for name in _SIZES:
        size = text_config.get(name)
        # Some models have a list: one size for each layer.
        is_number = isinstance(size, int) and not isinstance(size, bool)
        if not (size is None or isinstance(size, list) or (is_number and 0 < size <= _MAX_SIZE)):
            text = repr(size) if len(repr(size)) < _MAX_CHARACTERS else repr(size)[:_MAX_CHARACTERS] + "…"
            raise ModelError(f"{source}: {name} is {text}; expected a whole number from 1 to {_MAX_SIZE:,}")
    return model_config


def fetch_model(base: str, revision: str | None = None) -> Path:
    """Return the model's folder; download a hub model into the hub's cache first.

    Raises:
        ModelError: the model is not in the cache, and the hub does not provide it.
    """
    if (folder := find_folder(base)) is not None:
        return folder.resolve()
    from huggingface_hub import snapshot_download

    try:
        snapshot = snapshot_download(base, revision=revision, ignore_patterns=[*_OTHER_FORMS, "*.bin"])
        if not list_weight_files(snapshot):
            snapshot = snapshot_download(base, revision=revision, ignore_patterns=_OTHER_FORMS)
    except Exception as error:  # noqa: BLE001 - the hub's client raises many types
        raise ModelError(f"cannot download {base} from the hub: {str(error).splitlines()[0]}") from None
    return Path(snapshot)


def read_shape(model_config: dict[str, Any]) -> Shape | None:
    """Return the shape from a config.json, or None if its sizes have unknown names."""
    text_config = model_config.get("text_config") or model_config
    try:
        heads, hidden_size = int(text_config["num_attention_heads"]), int(text_config["hidden_size"])
        is_tied = text_config.get("tie_word_embeddings", model_config.get("tie_word_embeddings", False))
        return Shape(
            layers=int(text_config["num_hidden_layers"]),
            hidden_size=hidden_size,
            intermediate_size=int(text_config["intermediate_size"]),
            vocabulary_size=int(text_config["vocab_size"]),
            heads=heads,
            kv_heads=int(text_config.get("num_key_value_heads") or heads),
            head_size=int(text_config.get("head_dim") or hidden_size // heads),
            has_tied_embeddings=bool(is_tied),
            experts=int(text_config.get("num_local_experts") or text_config.get("num_experts") or 1),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def read_stop_tokens(base: str, model_config: dict[str, Any]) -> set[int]:
    """Return the ids of the tokens that stop generation, from the model's config.

    Raises:
        ModelError: the config is wrong.
    """
    path = expand_home(base) / "generation_config.json"
    tokens: Any = None
    source = str(path)
    if path.is_file():
        tokens = read_object(path).get("eos_token_id")
    if tokens is None:
        source = f"the config of {base}"
        tokens = (model_config.get("text_config") or model_config).get("eos_token_id")
    ids = tokens if isinstance(tokens, list) else [] if tokens is None else [tokens]
    if not all(isinstance(token, int) for token in ids):
        raise ModelError(f"{source}: eos_token_id is {tokens!r}; expected a token id or a list of them")
    return set(ids)


def list_weight_files(base: str) -> list[Path]:
    """Return the safetensors files of a model's folder, sorted by name."""
    return sorted(expand_home(base).glob("*.safetensors"))


def fingerprint_model(base: str, revision: str | None = None) -> str:
    """Return a text that identifies a model, without reading all its weights.

    For a folder: a sha256 of config.json, tokenizer.json and, for each weight file, its name, its size
    and a megabyte of its beginning, middle and end. For a hub id: the id and the revision.
    """
    folder = expand_home(base)
    if not folder.is_dir():
        return f"hub:{base}@{revision or 'main'}"
    digest = hashlib.sha256()
    for part in _fingerprint_parts(folder, list_weight_files(base)):
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _fingerprint_parts(folder: Path, weights: list[Path]) -> Iterator[bytes]:
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
