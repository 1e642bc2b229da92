"""Describe a folder of a model, an adapter or a training checkpoint from its names and small files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.errors import ModelError
from finetune.weights.description import CheckpointDescription
from finetune.weights.json_files import describe_kind, read_object
from finetune.weights.pickles import read_imports
from finetune.weights.safetensors_header import count_parameters, read_header
from finetune.weights.weight_files import compare_index, describe_imports, is_lfs_pointer, read_index

_TO_HF = "convert with transformers' convert_llama_weights_to_hf.py, then use the folder"
_INDEX = "model.safetensors.index.json"
_PICKLE_SUFFIXES = frozenset(
    (
        ".bin",
        ".pt",
        ".pth",
        ".ckpt",
        ".pkl",
        ".pickle",
        ".joblib",
        ".distcp",
        ".lora",
        ".metadata",
        ".npy",
        ".npz",
    )
)
_PICKLE_STARTS = (b"\x80", b"PK\3\4")
_DEQUANTISATION = {
    "gptq": "load it with transformers and gptqmodel, dequantize() it, then save_pretrained",
    "awq": "load it with transformers and gptqmodel (or autoawq), dequantize() it, then save_pretrained",
    "mlx": "mlx_lm.convert --hf-path FOLDER --mlx-path OUT --dequantize, on a Mac",
}
_LOSS = "; this does not restore the precision that the quantisation lost, so prefer the original model"
_CLASSIFIER = "SEQ_CLS: a classifier or a reward model, not a language model"


def describe_folder(path: Path) -> CheckpointDescription:
    """Describe a folder, and name every file in it that runs code when loaded.

    Raises:
        ModelError: the folder is damaged or of an unknown kind.
    """
    for describe in (
        _describe_mlx_adapter,
        _describe_adapter,
        _describe_litgpt,
        _describe_torchtune,
        _describe_meta,
        _describe_zero_states,
        _describe_dcp,
        _describe_diffusers,
        _describe_hugging_face,
        _describe_run,
        _describe_saved_model,
        _describe_weights_alone,
    ):
        description = describe(path)
        if description is not None:
            warnings = (*description.warnings, *_find_code(path), *_find_pointers(path), *_find_pickles(path))
            return replace(description, warnings=warnings)
    names = sorted(p.name for p in path.iterdir())[:6]
    raise ModelError(
        f"{path} is not a known kind of model folder; it contains {', '.join(names) or 'nothing'}"
    )


def _find_code(path: Path) -> tuple[str, ...]:
    """Name the code of the model's own that its settings load with trust_remote_code."""
    warnings = []
    for file in sorted(path.glob("*.json")):
        try:
            settings = json.loads(file.read_text("utf-8"))
        except (ValueError, RecursionError):
            warnings.append(f"{file.name} is damaged: it is not JSON")
            continue
        names = _find_classes(settings)
        if names:
            code = f"it runs code when loaded with trust_remote_code: {file.name} names {', '.join(names)}"
            warnings.append(code)
    scripts = sorted(file.name for file in path.glob("*.py"))
    if scripts:
        warnings.append(f"it contains programs: {', '.join(scripts)}")
    return tuple(warnings)


def _find_classes(settings: Any) -> list[str]:
    """Return the classes of `auto_map`, `custom_pipelines`, and of the modules of sentence-transformers."""
    if isinstance(settings, list):  # modules.json of sentence-transformers
        types = [str(m["type"]) for m in settings if isinstance(m, dict) and "type" in m and "path" in m]
        return [name for name in types if not name.startswith("sentence_transformers.")]
    if not isinstance(settings, dict):
        return []
    values = [settings.get("auto_map"), settings.get("custom_pipelines")]
    return sorted(set(_list_texts(values)))


def _list_texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _list_texts(item)]


def _find_pointers(path: Path) -> tuple[str, ...]:
    names = [p.name for p in sorted(path.iterdir()) if p.is_file() and is_lfs_pointer(p)]
    return (f"Git LFS pointers, not files: {', '.join(names)}; run `git lfs pull` there",) if names else ()


def _find_pickles(path: Path) -> tuple[str, ...]:
    """Say of every pickle in the folder and below whether it runs code; group files by reason."""
    files_by_reason: dict[str, list[str]] = {}
    for file in sorted(path.rglob("*")):
        if not _is_pickle(file):
            continue
        imports = read_imports(file)
        for reason in describe_imports(imports) or ("it is a pickle of tensors alone",):
            files_by_reason.setdefault(reason, []).append(str(file.relative_to(path)))
    return tuple(f"{', '.join(files)}: {reason}" for reason, files in files_by_reason.items())


def _is_pickle(file: Path) -> bool:
    if not file.is_file() or is_lfs_pointer(file):
        return False
    with file.open("rb") as content:
        is_marked = content.read(4).startswith(_PICKLE_STARTS)
    return is_marked or file.suffix in _PICKLE_SUFFIXES or file.name == ".metadata"


def _describe_mlx_adapter(path: Path) -> CheckpointDescription | None:
    if not (path / "adapter_config.json").is_file():
        return None
    config = read_object(path / "adapter_config.json")
    if "peft_type" in config or not {"lora_parameters", "fine_tune_type"} & config.keys():
        return None
    weights = [p for p in (path / "adapters.safetensors",) if p.is_file() and not is_lfs_pointer(p)]
    parameters, dtypes = count_parameters(weights) if weights else (None, {})
    parameters_of_lora = config.get("lora_parameters")
    lora = parameters_of_lora if isinstance(parameters_of_lora, dict) else {}
    details = {
        "method": f"{config.get('fine_tune_type', 'lora')} r={lora.get('rank')} scale={lora.get('scale')}",
        "base": str(config.get("model")),
    }
    return CheckpointDescription(
        "MLX adapter", parameters, dtypes, details, "mlx_lm (with its base model)",
        "mlx_lm.fuse --model BASE --adapter-path FOLDER --save-path OUT merges it into its base model",
        () if weights else ("adapters.safetensors is missing",),
    )  # fmt: skip


def _describe_adapter(path: Path) -> CheckpointDescription | None:
    if not (path / "adapter_config.json").is_file():
        return None
    config = read_object(path / "adapter_config.json")
    weights = path / "adapter_model.safetensors"
    is_counted = weights.is_file() and not is_lfs_pointer(weights)
    parameters, dtypes = count_parameters([weights]) if is_counted else (None, {})
    targets = config.get("target_modules")
    details = {
        "method": f"{config.get('peft_type')} r={config.get('r')} alpha={config.get('lora_alpha')}",
        "base": str(config.get("base_model_name_or_path")),
        "targets": ", ".join(map(str, targets)) if isinstance(targets, list) else str(targets),
        **({"task": _CLASSIFIER} if config.get("task_type") == "SEQ_CLS" else {}),
        **_tokenizer_details(path),
    }
    convert = "`advisor runs merge RUN` merges it into its base model"
    warnings: tuple[str, ...] = ()
    if (path / "adapter_model.bin").is_file():
        convert = "load it with PEFT in a separate process; save_pretrained writes adapter_model.safetensors"
    elif not weights.is_file():
        warnings = ("adapter_model.safetensors is missing",)
    return CheckpointDescription(
        "PEFT adapter", parameters, dtypes, details, "peft (with its base model), vLLM",
        convert, warnings,
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
    parameters = read_object(path / "params.json")
    details = {"params.json": json.dumps(parameters), "shards": str(len(shards))}
    return CheckpointDescription(
        "Meta's original checkpoint", None, {}, details, "Meta's llama code, torchtune", _TO_HF
    )


def _describe_zero_states(path: Path) -> CheckpointDescription | None:
    states = sorted(path.rglob("*_model_states.pt")) or sorted(path.rglob("*_optim_states.pt"))
    if not states or (path / "adapter_config.json").is_file():
        return None
    details = {"files": str(len(list(path.rglob("*_states.pt")))), "latest": _read_latest(path)}
    convert = (
        "deepspeed.utils.zero_to_fp32.convert_zero_checkpoint_to_fp32_state_dict(FOLDER, OUT, "
        "safe_serialization=True) writes safetensors; it loads the pickles"
    )
    return CheckpointDescription("DeepSpeed checkpoint", None, {}, details, "deepspeed", convert)


def _read_latest(path: Path) -> str:
    latest = path / "latest"
    return latest.read_text("utf-8", "replace").strip()[:80] if latest.is_file() else "not named"


def _describe_dcp(path: Path) -> CheckpointDescription | None:
    files = sorted(path.glob("*.distcp"))
    if not files and not (path / ".metadata").is_file():
        return None
    warnings = (
        () if (path / ".metadata").is_file() else (".metadata is missing, without which it cannot be read",)
    )
    return CheckpointDescription(
        "torch distributed checkpoint (DCP, from FSDP)", None, {}, {"files": str(len(files))}, "torch",
        "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER OUT.pt; it loads pickles",
        warnings,
    )  # fmt: skip


def _describe_diffusers(path: Path) -> CheckpointDescription | None:
    if (path / "model_index.json").is_file():
        return CheckpointDescription("diffusers pipeline", readers="diffusers", convert="no text model")
    if (path / "pytorch_lora_weights.safetensors").is_file():
        parameters, dtypes = count_parameters([path / "pytorch_lora_weights.safetensors"])
        return CheckpointDescription("diffusers LoRA", parameters, dtypes, {}, "diffusers", "no text model")
    return None


def _describe_saved_model(path: Path) -> CheckpointDescription | None:
    if not (path / "saved_model.pb").is_file():
        return None
    return CheckpointDescription(
        "TensorFlow SavedModel", readers="TensorFlow",
        convert="no conversion: rebuild the model in torch",
        warnings=("it is a graph that TensorFlow runs; it can read and write files",),
    )  # fmt: skip


def _describe_weights_alone(path: Path) -> CheckpointDescription | None:
    weights = _list_weights(path)
    if not weights:
        ggufs = sorted(p.name for p in path.glob("*.gguf"))
        if not ggufs:
            return None
        return CheckpointDescription(
            "folder of GGUF files", details={"files": ", ".join(ggufs)}, readers="llama.cpp",
            convert="inspect one of its files",
        )  # fmt: skip
    parameters, dtypes, warnings = _count_weights(path, weights)
    return CheckpointDescription(
        "safetensors files without config.json", parameters, dtypes, _tokenizer_details(path), "",
        "add the config.json and the tokenizer files of its model", warnings,
    )  # fmt: skip


def _list_weights(path: Path) -> list[Path]:
    """Return the safetensors files that hold the weights once.

    Mistral publishes `consolidated.safetensors` beside the shards: the same weights under other names.
    transformers reads the files of the index, or else model.safetensors.
    """
    if (path / _INDEX).is_file():
        names = sorted(set(read_index(path / _INDEX).values()))
        return [path / name for name in names if Path(name).name == name and (path / name).is_file()]
    if (path / "model.safetensors").is_file():
        return [path / "model.safetensors"]
    files = sorted(path.glob("*.safetensors"))
    return [file for file in files if not file.name.startswith("consolidated")] or files


def _count_weights(path: Path, weights: list[Path]) -> tuple[int | None, dict[str, int], tuple[str, ...]]:
    """Return parameters, dtypes, and what is missing; no number if a part of the weights is missing."""
    warnings = compare_index(path, read_index(path / _INDEX)) if (path / _INDEX).is_file() else ()
    is_whole = weights and not warnings and not any(map(is_lfs_pointer, weights))
    parameters, dtypes = count_parameters(weights) if is_whole else (None, {})
    return parameters, dtypes, warnings


def _describe_hugging_face(path: Path) -> CheckpointDescription | None:
    if not (path / "config.json").is_file():
        return None
    config = read_object(path / "config.json")
    for name in ("text_config", "quantization_config"):
        if not isinstance(config.get(name, {}), dict | None):
            raise ModelError(
                f"{path / 'config.json'}: {name} is {describe_kind(config[name])}, not an object"
            )
    weights = _list_weights(path)
    parameters, dtypes, warnings = _count_weights(path, weights)
    details = {
        "architecture": ", ".join(_list_texts(config.get("architectures"))) or "?",
        "family": str(config.get("model_type")),
        "dtype": str(config.get("dtype") or config.get("torch_dtype")),
        "context": str((config.get("text_config") or config).get("max_position_embeddings")),
        **_tokenizer_details(path),
    }
    other_files = [p.name for p in sorted(path.glob("*.safetensors")) if p not in weights]
    if other_files:
        details["not counted"] = f"{', '.join(other_files)} (transformers does not read them)"
    convert = ""
    method = _find_quantisation(path, config, weights)
    if method:
        details["quantised"] = json.dumps(
            config.get("quantization_config") or config.get("quantization") or method
        )
        convert = (
            _DEQUANTISATION.get(method, "load it with transformers, dequantize() it, then save_pretrained")
            + _LOSS
        )
        if parameters is not None:
            details["numbers in its files"] = f"{parameters:,} (packed, so not the number of parameters)"
        parameters, dtypes = None, {}
    warnings += _warn_about_pickled_weights(path, weights)
    kind = "model in Hugging Face's layout" + (f", quantised with {method.upper()}" if method else "")
    readers = "mlx_lm" if method == "mlx" else "transformers, trl, axolotl, unsloth, vLLM"
    return CheckpointDescription(kind, parameters, dtypes, details, readers, convert, warnings)


def _find_quantisation(path: Path, config: dict[str, Any], weights: list[Path]) -> str:
    """Return the method of quantisation; empty if the weights are whole numbers of their dtype."""
    method = str((config.get("quantization_config") or {}).get("quant_method", "")).lower()
    if config.get("quantization") and method in ("", "mlx"):
        return "mlx"
    if not method and (path / "quantize_config.json").is_file():  # AutoGPTQ's own file
        return "gptq"
    if method or not weights or any(map(is_lfs_pointer, weights)):
        return method
    return "gptq" if any(name.endswith(".qweight") for name in read_header(weights[0]).tensors) else ""


def _warn_about_pickled_weights(path: Path, weights: list[Path]) -> tuple[str, ...]:
    index = path / "pytorch_model.bin.index.json"
    warnings = compare_index(path, read_index(index)) if index.is_file() and not weights else ()
    pickles = sorted(p.name for p in path.glob("pytorch_model*.bin"))
    others = sorted(
        p.name for name in ("tf_model.h5", "flax_model.msgpack", "*.gguf") for p in path.glob(name)
    )
    if weights or (path / _INDEX).is_file():
        return warnings
    if pickles:
        return (*warnings, f"the weights are pickles ({', '.join(pickles)})")
    return (*warnings, f"the weights are in {', '.join(others)} alone" if others else "it has no weights")


def _describe_run(path: Path) -> CheckpointDescription | None:
    if not (path / "record.json").is_file():
        return None
    record = read_object(path / "record.json")
    details = {"state": str(record.get("state")), "outcome": str(record.get("outcome"))}
    return CheckpointDescription(
        "a run of advisor train", None, {}, details, "advisor runs", "its folder adapter/ is a PEFT adapter"
    )


def _tokenizer_details(path: Path) -> dict[str, str]:
    names = [n for n in ("tokenizer.json", "tokenizer.model", "vocab.json") if (path / n).is_file()]
    template = (path / "chat_template.jinja").is_file()
    settings = path / "tokenizer_config.json"
    if not template and settings.is_file():
        template = bool(read_object(settings).get("chat_template"))
    return {
        "tokenizer": ", ".join(names) or "none",
        "chat template": "yes (an instruct model, or a model prepared for chat)"
        if template
        else "none (a base model)",
    }


def _file_details(path: Path) -> dict[str, str]:
    names = ("model_config.yaml", "tokenizer.json", "tokenizer.model", "hyperparameters.yaml")
    return {"files": ", ".join(n for n in names if (path / n).is_file())}
