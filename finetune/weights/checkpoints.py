"""Describe a checkpoint from its bytes and names; loads no weights, runs no pickle."""

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
from finetune.weights.pickles import read_imports

_MAX_HEADER_BYTES = 100 * 10**6
# The errors of malformed files: not JSON, or JSON whose values have unexpected types.
_READ_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError)
_TORCH_LEGACY = bytes.fromhex("80028a0a6cfc9c46f920")
_TO_HF = "convert with transformers' convert_llama_weights_to_hf.py, then use the folder"


@dataclass(frozen=True)
class CheckpointDescription:
    """The description of a checkpoint.

    Attributes:
        kind: its kind, in words.
        parameters: number of parameters; None if the bytes do not show it.
        dtypes: name → number of parameters.
        details: more facts (architecture, tokenizer, template, base, imports …), in words.
        readers: programs that can read it.
        convert: how to convert it to a model or adapter in Hugging Face's layout.
        warnings: problems of the checkpoint.
    """

    kind: str
    parameters: int | None = None
    dtypes: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    readers: str = ""
    convert: str = ""
    warnings: tuple[str, ...] = ()


def describe_checkpoint(path: Path) -> CheckpointDescription:
    """Describe a checkpoint file or folder.

    Raises:
        ModelError: the path does not exist, is damaged, or has an unknown format.
    """
    if not path.exists():
        raise ModelError(f"{path} does not exist")
    try:
        return _describe_folder(path) if path.is_dir() else _describe_file(path)
    except _READ_ERRORS as error:
        raise ModelError(f"{path} is damaged, or its format does not match its name: {error}") from None


def _describe_file(path: Path) -> CheckpointDescription:
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"GGUF":
        return _describe_gguf(path)
    if path.name.endswith(".index.json"):
        return _describe_index(path)
    if len(head) > 8 and head[8:9] == b"{" and 8 <= struct.unpack("<Q", head[:8])[0] <= _MAX_HEADER_BYTES:
        parameters, dtypes = count_parameters([path])
        return CheckpointDescription(
            "safetensors file", parameters, dtypes, readers="any program that knows the model's architecture",
            convert="put it into one folder with its config.json and tokenizer files",
        )  # fmt: skip
    if zipfile.is_zipfile(path) or head[:1] == b"\x80":
        return _describe_pickle(path, head)
    raise ModelError(f"{path} has an unknown format (its first bytes are {head[:8].hex(' ')})")


def count_parameters(paths: list[Path]) -> tuple[int, dict[str, int]]:
    """Return the parameters of safetensors files, in total and by dtype.

    Raises:
        ModelError: a header does not match its file.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        for dtype, shape in _read_tensors(path):
            counts[dtype] += prod(shape)
    return sum(counts.values()), dict(counts)


def _read_tensors(path: Path) -> list[tuple[str, list[int]]]:
    """Return type and shape of each tensor; check the header against the file's size."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(min(length, size, _MAX_HEADER_BYTES)))
        header.pop("__metadata__", None)
        tensors = [(str(t["dtype"]), [int(edge) for edge in t["shape"]]) for t in header.values()]
        end = 8 + length + max((int(t["data_offsets"][1]) for t in header.values()), default=0)
    except (*_READ_ERRORS, struct.error):
        raise ModelError(f"safetensors file {path} is damaged: cannot read its header") from None
    if end != size:
        raise ModelError(f"{path} is truncated or damaged: expected {end} bytes, found {size}")
    return tensors


def _describe_pickle(path: Path, head: bytes) -> CheckpointDescription:
    kind = "PyTorch zip" if zipfile.is_zipfile(path) else "plain pickle"
    if head.startswith(_TORCH_LEGACY):
        kind = "PyTorch legacy pickle"
    imports = read_imports(path)
    details = {"imports": ", ".join(imports.tensor_names) or "none of those that tensors need"}
    warnings: tuple[str, ...] = ("it is a program; advisor read only its opcodes and did not load it",)
    if imports.problem:
        warnings += (imports.problem,)
    if imports.other_names:
        details["imports beyond tensors"] = ", ".join(imports.other_names)
        warnings += (f"loading it imports {', '.join(imports.other_names)}",)
    convert = "no conversion, because the file contains more than tensors"
    if imports.has_only_tensors:
        convert = (
            "torch.load(…, weights_only=True) with torch 2.10 or newer, in a separate process; then save_file"
        )
    return CheckpointDescription(kind, None, {}, details, "torch", convert, warnings)


def _describe_index(path: Path) -> CheckpointDescription:
    index = json.loads(path.read_text("utf-8"))
    names = sorted(set(index.get("weight_map", {}).values()))
    missing = [name for name in names if not (path.parent / name).is_file()]
    shards = [path.parent / name for name in names if name.endswith(".safetensors") and name not in missing]
    parameters, dtypes = count_parameters(shards) if shards and not missing else (None, {})
    warnings = (f"missing: {', '.join(missing)}",) if missing else ()
    details = {"files": str(len(names))}
    return CheckpointDescription(
        f"index of {len(names)} weight files", parameters, dtypes, details, "transformers", "", warnings
    )


def _describe_gguf(path: Path) -> CheckpointDescription:
    header = read_gguf(path)
    details = {k: v for k, v in header.details.items() if v}
    return CheckpointDescription(
        f"GGUF, version {header.version}", header.parameters, header.dtypes, details,
        "llama.cpp; transformers (gguf_file=) for some architectures",
        "AutoModelForCausalLM.from_pretrained(folder, gguf_file=name), then save_pretrained; this does not "
        "restore the precision that the quantisation lost",
    )  # fmt: skip


def _describe_folder(path: Path) -> CheckpointDescription:
    for describe in (
        _describe_adapter,
        _describe_litgpt,
        _describe_torchtune,
        _describe_meta,
        _describe_hugging_face,
        _describe_run,
    ):
        description = describe(path)
        if description is not None:
            return description
    names = sorted(p.name for p in path.iterdir())[:6]
    raise ModelError(
        f"{path} is not a known kind of model folder; it contains {', '.join(names) or 'nothing'}"
    )


def _describe_adapter(path: Path) -> CheckpointDescription | None:
    if not (path / "adapter_config.json").is_file():
        return None
    config = json.loads((path / "adapter_config.json").read_text("utf-8"))
    weights = [p for p in (path / "adapter_model.safetensors",) if p.is_file()]
    parameters, dtypes = count_parameters(weights) if weights else (None, {})
    targets = config.get("target_modules")
    details = {
        "method": f"{config.get('peft_type')} r={config.get('r')} alpha={config.get('lora_alpha')}",
        "base": str(config.get("base_model_name_or_path")),
        "targets": ", ".join(targets) if isinstance(targets, list) else str(targets),
        **_tokenizer_details(path),
    }
    warnings = () if weights else ("adapter_model.safetensors is missing",)
    return CheckpointDescription(
        "PEFT adapter", parameters, dtypes, details, "peft (with its base model), vLLM",
        "`advisor runs merge RUN` merges it into its base model", warnings,
    )  # fmt: skip


def _describe_litgpt(path: Path) -> CheckpointDescription | None:
    if not (path / "model_config.yaml").is_file() and not (path / "lit_model.pth").is_file():
        return None
    lora = (path / "lit_model.pth.lora").is_file()
    kind = "litgpt checkpoint" + (" with a LoRA adapter" if lora else "")
    how = "litgpt convert_from_litgpt writes pytorch_model.bin (for LoRA, merge first)"
    return CheckpointDescription(kind, None, {}, _file_details(path), "litgpt", how)


def _describe_torchtune(path: Path) -> CheckpointDescription | None:
    epochs = sorted(p.name for p in path.glob("epoch_*") if p.is_dir())
    recipe = (path / "recipe_state" / "recipe_state.pt").is_file() or (path / "adapter_model.pt").is_file()
    if not epochs and not recipe:
        return None
    details = {"epochs": ", ".join(epochs) or "one", **_file_details(path)}
    warning = "torchtune's own PEFT export permutes q and k for every family, which is wrong for Qwen"
    how = "convert adapter_model.pt; whether to permute q and k depends on the model family"
    return CheckpointDescription("torchtune output", None, {}, details, "torchtune", how, (warning,))


def _describe_meta(path: Path) -> CheckpointDescription | None:
    shards = sorted(path.glob("consolidated.*.pth"))
    if not shards or not (path / "params.json").is_file():
        return None
    parameters = json.loads((path / "params.json").read_text("utf-8"))
    details = {"params.json": json.dumps(parameters), "shards": str(len(shards))}
    return CheckpointDescription(
        "Meta's original checkpoint", None, {}, details, "Meta's llama code, torchtune", _TO_HF
    )


def _describe_hugging_face(path: Path) -> CheckpointDescription | None:
    if not (path / "config.json").is_file():
        return None
    config = json.loads((path / "config.json").read_text("utf-8"))
    weights = sorted(path.glob("*.safetensors"))
    pickles = sorted(p.name for p in path.glob("pytorch_model*.bin"))
    parameters, dtypes = count_parameters(weights) if weights else (None, {})
    details = {
        "architecture": ", ".join(config.get("architectures") or ["?"]),
        "family": str(config.get("model_type")),
        "dtype": str(config.get("dtype") or config.get("torch_dtype")),
        "context": str((config.get("text_config") or config).get("max_position_embeddings")),
        **(
            {"quantised": json.dumps(config["quantization_config"])}
            if "quantization_config" in config
            else {}
        ),
        **_tokenizer_details(path),
    }
    warnings = []
    if not weights and pickles:
        warnings.append(f"the weights are pickles ({', '.join(pickles)}); inspect one to see its imports")
    if not weights and not pickles:
        warnings.append("it has no weights")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        warnings += _describe_index(index).warnings
    readers = "transformers, trl, axolotl, unsloth, vLLM"
    return CheckpointDescription(
        "model in Hugging Face's layout", parameters, dtypes, details, readers, "", tuple(warnings)
    )


def _describe_run(path: Path) -> CheckpointDescription | None:
    if not (path / "record.json").is_file():
        return None
    record = json.loads((path / "record.json").read_text("utf-8"))
    details = {"state": str(record.get("state")), "outcome": str(record.get("outcome"))}
    return CheckpointDescription(
        "a run of advisor train", None, {}, details, "advisor runs", "its folder adapter/ is a PEFT adapter"
    )


def _tokenizer_details(path: Path) -> dict[str, str]:
    names = [n for n in ("tokenizer.json", "tokenizer.model", "vocab.json") if (path / n).is_file()]
    template = (path / "chat_template.jinja").is_file()
    settings = path / "tokenizer_config.json"
    if not template and settings.is_file():
        template = bool(json.loads(settings.read_text("utf-8")).get("chat_template"))
    return {
        "tokenizer": ", ".join(names) or "none",
        "chat template": "yes (an instruct model, or a model prepared for chat)"
        if template
        else "none (a base model)",
    }


def _file_details(path: Path) -> dict[str, str]:
    names = ("model_config.yaml", "tokenizer.json", "tokenizer.model", "hyperparameters.yaml")
    return {"files": ", ".join(n for n in names if (path / n).is_file())}
