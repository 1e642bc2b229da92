"""Tiny models of every family that torchtune and litgpt can build, and their runs."""

from __future__ import annotations

import json
from pathlib import Path

from finetune import record
from finetune.process import environment
from finetune.runners import emit
from finetune.sections import Devices
from finetune.spec import RunSpec
from finetune.stacks import Job, load_stack
from finetune.stacks.shared import peft_export

RUNNERS = Path(emit.__file__).parent
SMALL = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0, "tie_word_embeddings": False,
}  # fmt: skip
LLAMA3_SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192, "rope_theta": 500000.0}  # fmt: skip
# Case → family, changes to its config, targets.
CASES = {
    "llama-tied-grouped": ("Llama", {"tie_word_embeddings": True}, "all-linear"),
    "llama-untied": ("Llama", {"num_key_value_heads": 4}, "all-linear"),
    "llama-scaled": ("Llama", {"tie_word_embeddings": True, "rope_parameters": LLAMA3_SCALING}, "all-linear"),
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
READ_PAIRS = {"torchtune": peft_export.pairs_from_torchtune, "litgpt": peft_export.pairs_from_litgpt}
EXPORT_CASES = ("llama-untied", "qwen2-untied")
QLORA_CASES = ("llama-tied-grouped", "qwen2-untied", "gemma-tied-one-key", "phi3-grouped")


def stack_python(name):
    """Return the interpreter of a stack; build its environment if it does not exist."""
    stack = load_stack(name)
    return environment.ensure_environment(stack.lock, stack.required_packages).python


def create_run(name, case, folder, method="lora"):
    """Create a run folder with base model and native config, like `advisor train`.

    litgpt refuses 4 bits on a CPU, so its config is the one for a GPU.
    """
    import torch
    import transformers

    family, changes, targets = CASES[case]
    run = folder / (case if method == "lora" else f"{case}-{method}")
    base = run / "model"
    run.mkdir(parents=True)
    torch.manual_seed(0)
    if method == "qlora":  # on a CPU bitsandbytes rounds rows wrongly that are not whole blocks of 64
        changes = {**changes, "intermediate_size": 128}
    config = getattr(transformers, f"{family}Config")(**{**SMALL, **changes})
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    for parameter in model.parameters():  # norms and biases too, so that a missing one shows
        torch.nn.init.normal_(parameter, mean=parameter.float().mean().item(), std=0.1)
        if method == "qlora":  # weights of published models are exact in 16 bits
            parameter.data = parameter.data.half().float()
    model.save_pretrained(base)
    spec = RunSpec.model_validate({
        "stack": name, "model": {"base": str(base)}, "data": {"train": "x.jsonl", "max_length": 64},
        "method": {"name": method, "r": 4, "alpha": 8, "targets": targets},
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
    render_spec = spec
    if method == "qlora" and name == "litgpt":
        render_spec = spec.model_copy(update={"devices": Devices(kind="cuda")})
    for file, text in load_stack(name).render(render_spec, job).files.items():
        (job.native / file).write_text(text)
    run_record = record.Record(
        id=run.name,
        state="finished",
        started=record.utc_now(),
        spec=spec.model_dump(mode="json"),
        origins={},
        stack=name,
    )
    record.write_record(run, run_record)
    if case in EXPORT_CASES and method == "lora":
        shape = {"num_heads": 4, "num_kv_heads": changes["num_key_value_heads"], "dim": 64}
        (run / "shape.json").write_text(json.dumps(shape))
    return spec, run
