"""Write a model folder as a GGUF file, with the package gguf, which llama.cpp's own converter uses too.

Format and names of the tensors: github.com/ggml-org/ggml/blob/master/docs/gguf.md. This writes dense models
of the families that advisor's users train most, with a byte-level BPE tokenizer. Everything else is refused
with the reason: llama.cpp's converter writes it. A GGUF file has no program for its tokenizer, only the name
of one that llama.cpp has, so `finetune.after.gguf_checks` compares the tokens afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.errors import ModelError

TYPES = ("f32", "f16", "bf16", "q8_0")
# Architecture → llama.cpp's name for it.
_FAMILIES: Mapping[str, str] = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
# How a tokenizer splits a text before BPE → llama.cpp's name for it.
_SPLITS: Mapping[tuple[str, ...], str] = {
    ("bytes",): "gpt-2",
    ("digits", "bytes"): "smollm",
    (_LLAMA_3,): "llama-bpe",
    (_LLAMA_3.replace("{1,3}", ""),): "qwen2",
}


@dataclass(frozen=True)
class _Model:
    """The files of a model: folder, config, ``tokenizer.json``, and llama.cpp's name of the family."""

    folder: Path
    config: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    family: str


def find_obstacle(folder: Path) -> str:
    """Return why this module cannot write the model as GGUF; empty if it can."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        return f"cannot read config.json and tokenizer.json of {folder}: {error}"
    return _find_shape_obstacle(config) or _find_tokenizer_obstacle(tokenizer)


def _find_shape_obstacle(config: Mapping[str, Any]) -> str:
    family = next(iter(config.get("architectures") or ["?"]))
    if family not in _FAMILIES:
        return f"advisor does not write {family} as GGUF"
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        return "advisor does not write scaled rotary embeddings as GGUF"
    if config.get("use_sliding_window") or (family.startswith("Mistral") and config.get("sliding_window")):
        return "advisor does not write sliding-window attention as GGUF"
    if config.get("attention_bias") and family != "Qwen2ForCausalLM":
        return "advisor does not write biases of the attention of this family as GGUF"
    return ""


def _find_tokenizer_obstacle(tokenizer: Mapping[str, Any]) -> str:
    if tokenizer["model"].get("type") != "BPE" or tokenizer["model"].get("byte_fallback"):
        return "advisor writes only byte-level BPE tokenizers as GGUF"
    if _name_split(tokenizer) is None:
        return "llama.cpp's name for how this tokenizer splits a text is unknown"
    return ""


def write_gguf(folder: Path, out: Path, kind: str, end_tokens: Mapping[int, str]) -> None:
    """Write the GGUF file of a model folder.

    Args:
        folder: a model without an adapter, in Hugging Face's layout, with its tokenizer.
        out: the file.
        kind: type of the weight matrices, one of `TYPES`; vectors have 32 bits.
        end_tokens: the tokens that end an answer; the first one becomes the file's end token.

    Raises:
        ModelError: the model cannot be written; see `find_obstacle`.
    """
    from gguf import GGUFWriter, LlamaFileType

    obstacle = find_obstacle(folder)
    if obstacle:
        raise ModelError(obstacle)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    model = _Model(folder, config, tokenizer, _FAMILIES[config["architectures"][0]])
    writer = GGUFWriter(out, model.family)
    names = {
        "f32": LlamaFileType.ALL_F32,
        "f16": LlamaFileType.MOSTLY_F16,
        "bf16": LlamaFileType.MOSTLY_BF16,
        "q8_0": LlamaFileType.MOSTLY_Q8_0,
    }
    writer.add_file_type(names[kind])
    _add_shape(writer, model)
    _add_tokens(writer, model, end_tokens)
    for name, values in _read_tensors(model):
        _add_tensor(writer, name, values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: Any, model: _Model) -> None:
    config = model.config
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_parameters") or {}
    writer.add_name(model.folder.name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    writer.add_rope_dimension_count(head_size)
    writer.add_vocab_size(config["vocab_size"])


def _add_tokens(writer: Any, model: _Model, end_tokens: Mapping[int, str]) -> None:
    """Add the vocabulary, the merges, the special tokens and the chat template.

    A vocabulary can be smaller than the embedding; unused tokens fill the rest.
    """
    from gguf import TokenType

    bpe, added_tokens = model.tokenizer["model"], model.tokenizer.get("added_tokens", [])
    texts = {number: text for text, number in bpe["vocab"].items()}
    kinds = dict.fromkeys(texts, TokenType.NORMAL)
    for token in added_tokens:
        texts[token["id"]] = token["content"]
        kinds[token["id"]] = TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED
    size = model.config["vocab_size"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_name_split(model.tokenizer))
    writer.add_token_list([texts.get(n, f"[PAD{n}]") for n in range(size)])
    writer.add_token_types([kinds.get(n, TokenType.UNUSED) for n in range(size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["merges"]])
    settings = _read_json(model.folder / "tokenizer_config.json")
    numbers = {text: number for number, text in texts.items()}
    for name, add in (("bos_token", writer.add_bos_token_id), ("pad_token", writer.add_pad_token_id)):
        token = settings.get(name)
        text = token["content"] if isinstance(token, dict) else token
        if text in numbers:
            add(numbers[text])
    ends = list(end_tokens) or _list_end_tokens(model.folder)
    if ends:
        writer.add_eos_token_id(ends[0])
        writer.add_eot_token_id(ends[0])
    writer.add_add_bos_token(_starts_with_bos(model.tokenizer))
    template = model.folder / "chat_template.jinja"
    text = template.read_text("utf-8") if template.is_file() else settings.get("chat_template")
    if isinstance(text, str):
        writer.add_chat_template(text)


def _list_end_tokens(folder: Path) -> list[int]:
    """Return the end tokens of the generation config."""
    ends = _read_json(folder / "generation_config.json").get("eos_token_id")
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def _starts_with_bos(tokenizer: Mapping[str, Any]) -> bool:
    """Return whether the tokenizer itself puts a token before a text."""
    post = tokenizer.get("post_processor") or {}
    steps = post.get("processors", [post])
    return any("SpecialToken" in part for step in steps for part in (step.get("single") or [])[:1])


def _name_split(tokenizer: Mapping[str, Any]) -> str | None:
    """Return llama.cpp's name for how a tokenizer splits a text before BPE; None: unknown."""
    pre = tokenizer.get("pre_tokenizer") or {}
    steps = []
    for step in pre.get("pretokenizers", [pre]):
        kind = step.get("type")
        if kind == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
            steps.append(str(step["pattern"].get("Regex")))
        elif kind == "ByteLevel" and not step.get("add_prefix_space"):
            if step.get("use_regex", True):
                steps.append("bytes")
        elif kind == "Digits" and step.get("individual_digits"):
            steps.append("digits")
        else:
            return None
    return _SPLITS.get(tuple(steps))


def _read_tensors(model: _Model) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values (32 bits) of each tensor, as llama.cpp expects them.

    Raises:
        ModelError: llama.cpp has no name for a tensor.
    """
    import torch
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map
    from safetensors import safe_open

    arch = next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES[arch] == model.family)
    names = get_tensor_name_map(arch, model.config["num_hidden_layers"])
    heads = model.config["num_attention_heads"]
    counts = {"q_proj": heads, "k_proj": model.config.get("num_key_value_heads") or heads}
    for file in sorted(model.folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for source in tensors.keys():  # noqa: SIM118 - it is no dictionary
                if source == "lm_head.weight" and model.config.get("tie_word_embeddings"):
                    continue
                name = names.get_name(source, try_suffixes=(".weight", ".bias"))
                if name is None:
                    raise ModelError(f"llama.cpp has no name for the tensor {source}")
                values = tensors.get_tensor(source).to(torch.float32).numpy()
                layer = source.split(".")[-2]
                if model.family == "llama" and layer in counts:
                    values = _pair_halves(values, counts[layer])
                yield name, values


def _pair_halves(values: np.ndarray, heads: int) -> np.ndarray:
    """Return the rows of a query or key in the order of llama.cpp's rotation for this family.

    Hugging Face rotates row n of a head with row n + half; llama.cpp rotates rows that are neighbours.
    """
    rows = values.shape[0] // heads
    return values.reshape(heads, 2, rows // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _add_tensor(writer: Any, name: str, values: np.ndarray, kind: str) -> None:
    from gguf import GGMLQuantizationType, quants

    is_matrix = values.ndim > 1
    if not is_matrix or kind == "f32":
        writer.add_tensor(name, values)
    elif kind == "f16":
        writer.add_tensor(name, values.astype(np.float16))
    else:
        dtype = GGMLQuantizationType.BF16 if kind == "bf16" else GGMLQuantizationType.Q8_0
        try:
            writer.add_tensor(name, quants.quantize(values, dtype), raw_dtype=dtype)
        except quants.QuantError:  # its rows are no multiple of the type's block
            writer.add_tensor(name, values.astype(np.float16))


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
