"""What is this file or folder? Told from bytes and names alone; no weight is loaded, no pickle run."""

from __future__ import annotations

import json
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from finetune.errors import ModelError
from finetune.weights.gguf import read_header as read_gguf
from finetune.weights.pickles import imports

_MOST_HEADER = 100 * 10**6
# A file of JSON that is none, or whose parts are of other types than their names promise.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError)
_TORCH_LEGACY = bytes.fromhex("80028a0a6cfc9c46f920")
_TO_HF = "convert with transformers' convert_llama_weights_to_hf.py, then use the folder"


@dataclass(frozen=True)
class Described:
    """What was found out.

    Attributes:
        kind: in words.
        parameters: None where the bytes do not tell.
        dtypes: name → number of parameters.
        details: what else is known (architecture, tokenizer, template, base, imports …), in words.
        readers: what can read it.
        convert: how to make a model or adapter in Hugging Face's layout of it.
        warnings: what to be careful about.
    """

    kind: str
    parameters: int | None = None
    dtypes: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    readers: str = ""
    convert: str = ""
    warnings: tuple[str, ...] = ()


def describe(path: Path) -> Described:
    """Look at a file or a folder.

    Raises:
        ModelError: it does not exist, or is nothing that is known here.
    """
    if not path.exists():
        raise ModelError(f"there is nothing at {path}")
    try:
        return _folder(path) if path.is_dir() else _file(path)
    except _MALFORMED as error:
        raise ModelError(f"{path} is damaged, or not what its name says: {error}") from None


def _file(path: Path) -> Described:
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"GGUF":
        return _gguf(path)
    if path.name.endswith(".index.json"):
        return _index(path)
    if len(head) > 8 and head[8:9] == b"{" and 8 <= struct.unpack("<Q", head[:8])[0] <= _MOST_HEADER:
        parameters, dtypes = safetensors_counts([path])
        return Described(
            "safetensors file", parameters, dtypes, readers="anything that knows the model's architecture",
            convert="put it beside its config.json and tokenizer files",
        )  # fmt: skip
    if zipfile.is_zipfile(path) or head[:1] == b"\x80":
        return _pickle(path, head)
    raise ModelError(f"{path} is no file that is known here (it begins with {head[:8].hex(' ')})")


def safetensors_counts(paths: list[Path]) -> tuple[int, dict[str, int]]:
    """Parameters in all and by dtype, from the headers.

    Raises:
        ModelError: a header does not match its file.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        for dtype, shape in _tensors(path):
            counts[dtype] += prod(shape)
    return sum(counts.values()), dict(counts)


def _tensors(path: Path) -> list[tuple[str, list[int]]]:
    """Type and shape of each tensor of a safetensors file whose header agrees with its size."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(min(length, size, _MOST_HEADER)))
        header.pop("__metadata__", None)
        tensors = [(str(t["dtype"]), [int(edge) for edge in t["shape"]]) for t in header.values()]
        end = 8 + length + max((int(t["data_offsets"][1]) for t in header.values()), default=0)
    except (*_MALFORMED, struct.error):
        raise ModelError(f"{path} is a damaged safetensors file: its header cannot be read") from None
    if end != size:
        raise ModelError(f"{path} is cut off or damaged: its header speaks of {end} bytes, it has {size}")
    return tensors


def _pickle(path: Path, head: bytes) -> Described:
    kind = "PyTorch zip" if zipfile.is_zipfile(path) else "plain pickle"
    if head.startswith(_TORCH_LEGACY):
        kind = "PyTorch legacy pickle"
    found = imports(path)
    details = {"imports": ", ".join(found.allowed) or "nothing that tensors need"}
    warnings: tuple[str, ...] = ("it is a program: it was not loaded, only its opcodes were read",)
    if found.why:
        warnings += (found.why,)
    if found.others:
        details["imports beyond tensors"] = ", ".join(found.others)
        warnings += (f"loading it would import {', '.join(found.others)}",)
    convert = "no conversion is offered: it holds more than tensors"
    if found.tensors_only:
        convert = (
            "torch.load(…, weights_only=True), torch 2.10 or newer, in a process of its own; then save_file"
        )
    return Described(kind, None, {}, details, "torch", convert, warnings)


def _index(path: Path) -> Described:
    told = json.loads(path.read_text("utf-8"))
    names = sorted(set(told.get("weight_map", {}).values()))
    missing = [name for name in names if not (path.parent / name).is_file()]
    parts = [path.parent / name for name in names if name.endswith(".safetensors") and name not in missing]
    parameters, dtypes = safetensors_counts(parts) if parts and not missing else (None, {})
    warnings = (f"missing: {', '.join(missing)}",) if missing else ()
    details = {"files": str(len(names))}
    return Described(
        f"index of {len(names)} weight files", parameters, dtypes, details, "transformers", "", warnings
    )


def _gguf(path: Path) -> Described:
    header = read_gguf(path)
    details = {k: v for k, v in header.details.items() if v}
    return Described(
        f"GGUF, version {header.version}", header.parameters, header.dtypes, details,
        "llama.cpp; transformers (gguf_file=) for some architectures",
        "AutoModelForCausalLM.from_pretrained(folder, gguf_file=name), then save_pretrained: the weights are "
        "de-quantised, which does not bring back what the quantisation lost",
    )  # fmt: skip


def _folder(path: Path) -> Described:
    for known in (_adapter, _litgpt, _torchtune, _meta, _hugging_face, _run):
        found = known(path)
        if found is not None:
            return found
    inside = sorted(p.name for p in path.iterdir())[:6]
    raise ModelError(
        f"{path} is no model's folder that is known here; it holds {', '.join(inside) or 'nothing'}"
    )


def _adapter(path: Path) -> Described | None:
    if not (path / "adapter_config.json").is_file():
        return None
    told = json.loads((path / "adapter_config.json").read_text("utf-8"))
    weights = [p for p in (path / "adapter_model.safetensors",) if p.is_file()]
    parameters, dtypes = safetensors_counts(weights) if weights else (None, {})
    targets = told.get("target_modules")
    details = {
        "method": f"{told.get('peft_type')} r={told.get('r')} alpha={told.get('lora_alpha')}",
        "base": str(told.get("base_model_name_or_path")),
        "targets": ", ".join(targets) if isinstance(targets, list) else str(targets),
        **_tokenizer(path),
    }
    warnings = () if weights else ("adapter_model.safetensors is missing",)
    return Described(
        "PEFT adapter", parameters, dtypes, details, "peft (with its base model), vLLM",
        "`advisor runs merge RUN` makes a whole model of it", warnings,
    )  # fmt: skip


def _litgpt(path: Path) -> Described | None:
    if not (path / "model_config.yaml").is_file() and not (path / "lit_model.pth").is_file():
        return None
    lora = (path / "lit_model.pth.lora").is_file()
    kind = "litgpt checkpoint" + (" with a LoRA beside it" if lora else "")
    how = "litgpt convert_from_litgpt gives pytorch_model.bin (not of a LoRA: merge first)"
    return Described(kind, None, {}, _names(path), "litgpt", how)


def _torchtune(path: Path) -> Described | None:
    epochs = sorted(p.name for p in path.glob("epoch_*") if p.is_dir())
    recipe = (path / "recipe_state" / "recipe_state.pt").is_file() or (path / "adapter_model.pt").is_file()
    if not epochs and not recipe:
        return None
    details = {"epochs": ", ".join(epochs) or "one", **_names(path)}
    warning = "its own PEFT export permutes q and k of every family, which is wrong for Qwen"
    how = "convert adapter_model.pt with the family in mind"
    return Described("torchtune output", None, {}, details, "torchtune", how, (warning,))


def _meta(path: Path) -> Described | None:
    shards = sorted(path.glob("consolidated.*.pth"))
    if not shards or not (path / "params.json").is_file():
        return None
    told = json.loads((path / "params.json").read_text("utf-8"))
    details = {"params.json": json.dumps(told), "shards": str(len(shards))}
    return Described("Meta's original checkpoint", None, {}, details, "Meta's llama code, torchtune", _TO_HF)


def _hugging_face(path: Path) -> Described | None:
    if not (path / "config.json").is_file():
        return None
    told = json.loads((path / "config.json").read_text("utf-8"))
    weights = sorted(path.glob("*.safetensors"))
    pickles = sorted(p.name for p in path.glob("pytorch_model*.bin"))
    parameters, dtypes = safetensors_counts(weights) if weights else (None, {})
    details = {
        "architecture": ", ".join(told.get("architectures") or ["?"]),
        "family": str(told.get("model_type")),
        "dtype": str(told.get("dtype") or told.get("torch_dtype")),
        "context": str((told.get("text_config") or told).get("max_position_embeddings")),
        **({"quantised": json.dumps(told["quantization_config"])} if "quantization_config" in told else {}),
        **_tokenizer(path),
    }
    warnings = []
    if not weights and pickles:
        warnings.append(f"the weights are pickles ({', '.join(pickles)}); inspect one to see what it imports")
    if not weights and not pickles:
        warnings.append("there are no weights")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        warnings += _index(index).warnings
    readers = "transformers, trl, axolotl, unsloth, vLLM"
    return Described(
        "model in Hugging Face's layout", parameters, dtypes, details, readers, "", tuple(warnings)
    )


def _run(path: Path) -> Described | None:
    if not (path / "record.json").is_file():
        return None
    told = json.loads((path / "record.json").read_text("utf-8"))
    details = {"state": str(told.get("state")), "outcome": str(told.get("outcome"))}
    return Described(
        "a run of advisor train", None, {}, details, "advisor runs", "its adapter/ is a PEFT adapter"
    )


def _tokenizer(path: Path) -> dict[str, str]:
    names = [n for n in ("tokenizer.json", "tokenizer.model", "vocab.json") if (path / n).is_file()]
    template = (path / "chat_template.jinja").is_file()
    settings = path / "tokenizer_config.json"
    if not template and settings.is_file():
        template = bool(json.loads(settings.read_text("utf-8")).get("chat_template"))
    return {
        "tokenizer": ", ".join(names) or "none",
        "chat template": "yes (an instruct model, or one made ready)" if template else "none (a base model)",
    }


def _names(path: Path) -> dict[str, str]:
    names = ("model_config.yaml", "tokenizer.json", "tokenizer.model", "hyperparameters.yaml")
    return {"files": ", ".join(n for n in names if (path / n).is_file())}
