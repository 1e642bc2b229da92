"""Tiny models of every family that torchtune and litgpt can be told to build, and their runs."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from advisor.files import cache_home
from finetune import record
from finetune.process import environment
from finetune.runners import emit
from finetune.spec import RunSpec
from finetune.stacks import Job, stack
from finetune.stacks.shared import peft_export

RUNNERS = Path(emit.__file__).parent
SMALL = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0, "tie_word_embeddings": False,
}  # fmt: skip
SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 500000.0}  # fmt: skip
# Name of a case → family, changes of its config, targets.
CASES = {
    "llama-tied-grouped": ("Llama", {"tie_word_embeddings": True}, "all-linear"),
    "llama-untied": ("Llama", {"num_key_value_heads": 4}, "all-linear"),
    "llama-scaled": ("Llama", {"tie_word_embeddings": True, "rope_parameters": SCALED}, "all-linear"),
    "llama-q-v": ("Llama", {}, ("q_proj", "v_proj")),
    "mistral-grouped": ("Mistral", {"sliding_window": None}, "all-linear"),
    "qwen2-tied-grouped": ("Qwen2", {"tie_word_embeddings": True}, "all-linear"),
    "qwen2-untied": ("Qwen2", {"num_key_value_heads": 4}, "all-linear"),
    "qwen3-tied-grouped": ("Qwen3", {"tie_word_embeddings": True, "head_dim": 32}, "all-linear"),
    "qwen3-untied": ("Qwen3", {"num_key_value_heads": 4, "head_dim": 16}, "all-linear"),
    "gemma-tied-one-key": ("Gemma", {"tie_word_embeddings": True, "num_key_value_heads": 1, "head_dim": 32}, "all-linear"),
    "phi3-untied": ("Phi3", {"num_key_value_heads": 4}, "all-linear"),
    "phi3-grouped": ("Phi3", {}, "all-linear"),
    "phi3-q-v": ("Phi3", {}, ("q_proj", "v_proj")),
}  # fmt: skip
TAKE_APART = {"torchtune": peft_export.from_torchtune, "litgpt": peft_export.from_litgpt}
EXPORTED = ("llama-untied", "qwen2-untied")


def python_of(name):
    """The interpreter of a stack, whose environment is built where it is not there yet."""
    chosen = stack(name)
    folder = cache_home()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.building"):
        return environment.ready(chosen.lock, chosen.needed).python


def run_of(name, case, folder):
    """A run folder with base model and native config, as `advisor train` would lay it out."""
    import torch
    import transformers

    family, changes, targets = CASES[case]
    run = folder / case
    base = run / "model"
    run.mkdir(parents=True)
    torch.manual_seed(0)
    made = getattr(transformers, f"{family}Config")(**{**SMALL, **changes})
    model = getattr(transformers, f"{family}ForCausalLM")(made)
    for parameter in model.parameters():  # norms and biases too, that a lost one be noticed
        torch.nn.init.normal_(parameter, mean=parameter.float().mean().item(), std=0.1)
    model.save_pretrained(base)
    spec = RunSpec.model_validate({
        "stack": name, "model": {"base": str(base)}, "data": {"train": "x.jsonl", "max_length": 64},
        "method": {"name": "lora", "r": 4, "alpha": 8, "targets": targets},
        "training": {"dtype": "float32", "batch_size": 4, "micro_batch_size": 4, "gradient_checkpointing": False},
        "devices": {"kind": "cpu"},
    })  # fmt: skip
    job = Job(
        folder=run,
        data=run / "data",
        base=str(base),
        template=None,
        steps=2,
        warmup_steps=1,
        rows=8,
        test_rows=2,
    )
    job.native.mkdir()
    for file, text in stack(name).render(spec, job).files.items():
        (job.native / file).write_text(text)
    told = record.Record(
        id=case,
        state="finished",
        started=record.now(),
        spec=spec.model_dump(mode="json"),
        origins={},
        stack=name,
    )
    record.keep(run, told)
    if case in EXPORTED:
        shape = {"num_heads": 4, "num_kv_heads": changes["num_key_value_heads"], "dim": 64}
        (run / "shape.json").write_text(json.dumps(shape))
    return spec, run
