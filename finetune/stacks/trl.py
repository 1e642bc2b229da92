"""trl: the spec as a `trl sft` config; our runner uses it and adds the stream of events.

The keys and defaults are those of trl 1.16 (SFTConfig, DPOConfig, KTOConfig, ORPOConfig, ModelConfig,
ScriptArguments), taken from its source. The YAML is complete, so `trl sft --config native/sft.yaml` can use
it too. trl's command line does not have some methods (IA3, VeRA, prompt and prefix tuning); for them there is
a PEFT config file beside it. `trl dpo` and `trl kto` read texts, so their configs need our runner, which
gives them the tokens. ORPO is in trl's experimental part, of which the lock file has one version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import TrainingError, UnsupportedField
from finetune.process import torchrun
from finetune.runners import trl_preference, trl_sft
from finetune.sections import LORA_LIKE
from finetune.spec import RunSpec
from finetune.stacks import Job, NativeConfig
from finetune.stacks.shared import hf_trainer, own_loop, refusals

name = "trl"
repository = "huggingface/trl"
lock = Path(__file__).with_suffix(".lock")
required_packages = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes")
PEFT_CONFIG = "peft.json"


def render(spec: RunSpec, job: Job) -> NativeConfig:
    """Render the YAML file of the objective, and `peft.json` for the methods that need it."""
    if spec.method.objective != "sft":
        _refuse_for_preferences(spec)
    config = {
        **_render_model(spec, job),
        **_render_data(spec, job),
        **_render_method(spec),
        **_render_training(spec, job),
    }
    files = {_name_config(spec): to_yaml(config), **hf_trainer.render_order(spec, job)}
    if spec.method.name not in (*LORA_LIKE, "full"):
        files[PEFT_CONFIG] = json.dumps(_render_peft_config(spec), indent=1) + "\n"
    return NativeConfig(files, _list_deviations(spec))


def command(python: Path, spec: RunSpec, job: Job) -> list[str]:
    """Return the command for one process, or for several through `torchrun`, which finds a free port.

    `accelerate launch` starts a single process if its config has MULTI_CPU (accelerate 1.15), and uses one
    fixed port, so that two runs on a machine collide.
    """
    runner = trl_sft.__file__ if spec.method.objective == "sft" else trl_preference.__file__
    script = [str(Path(runner)), str(job.native / _name_config(spec)), str(job.folder)]
    return [str(python), *torchrun.build_arguments(spec), *script]


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the common variables."""
    return own_loop.common_environment(spec)


def export_adapter(spec: RunSpec, job: Job) -> Path:
    """Return the adapter that the trainer saved, with the base model's name in its config."""
    adapter = job.folder / "adapter"
    is_full = spec.method.name == "full"
    config = adapter / ("config.json" if is_full else "adapter_config.json")
    if not config.is_file():
        raise TrainingError(f"trl ended without writing {config}; see {job.folder / 'log.txt'}")
    if not is_full:
        hf_trainer.set_base_name(config, spec.model.base)
    (adapter / "training_args.bin").unlink(missing_ok=True)  # a pickle, and not needed
    return adapter


def _name_config(spec: RunSpec) -> str:
    return f"{spec.method.objective}.yaml"


def _refuse_for_preferences(spec: RunSpec) -> None:
    """Refuse what trl's trainers for preferences do not support, or what we do not test with them."""
    method, objective = spec.method, spec.method.objective
    why = f"trl's {objective.upper()}Trainer does not pack rows"
    refusals.refuse_other_values(name, spec, {"data.packing": (False, why)})
    if method.name not in (*LORA_LIKE, "full"):
        why = f"advisor runs {objective} for lora, qlora and full only"
        raise UnsupportedField(name, "method.name", method.name, why)
    why = f"trl's {objective.upper()}Trainer turns dropout off, so that the answers are comparable"
    refusals.refuse_other_values(name, spec, {"method.dropout": (0.0, why)})
    if objective == "orpo":
        why = "advisor has not tested trl's ORPOTrainer with them"
        refusals.refuse_other_values(name, spec, {"training.liger_kernels": (False, why)})
    if "lm_head" in method.targets and objective != "orpo":
        why = f"trl's {objective.upper()}Trainer computes with the output layer itself, without its adapter"
        raise UnsupportedField(name, "method.targets", list(method.targets), why)
    if spec.world_size > 1:
        why = f"advisor shards no model for {objective}, which runs with ddp"
        refusals.refuse_other_values(name, spec, {"devices.strategy": ("ddp", why)})
    if objective == "kto" and spec.training.micro_batch_size == 1:
        why = "KTO compares each answer with that of another row in memory, so it needs two at least"
        raise UnsupportedField(name, "training.micro_batch_size", 1, why)


def _render_model(spec: RunSpec, job: Job) -> dict[str, Any]:
    # float16 needs trained weights in float32, and `full` trains all of them.
    is_cast = spec.method.name == "full" and spec.training.dtype == "float16"
    config = {
        "model_name_or_path": job.base,
        "model_revision": spec.model.revision or "main",
        "trust_remote_code": spec.model.trust_remote_code,
        "dtype": "float32" if is_cast else spec.training.dtype,
        "attn_implementation": hf_trainer.ATTENTION[spec.training.attention],
    }
    if job.template is not None and spec.method.objective == "sft":
        config["chat_template_path"] = str(job.template)
    return config


def _render_data(spec: RunSpec, job: Job) -> dict[str, Any]:
    config = {
        "dataset_name": str(job.data),
        "dataset_train_split": "train",
        "dataset_test_split": "test",
        "max_length": spec.data.max_length,
    }
    if spec.method.objective != "sft":
        return {**config, "beta": spec.method.beta, "remove_unused_columns": False}
    return {**config, "packing": spec.data.packing, "shuffle_dataset": False}


def _render_method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    if method.name not in LORA_LIKE:
        return {"use_peft": False}
    config: dict[str, Any] = {
        "use_peft": True,
        "lora_r": method.r,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "lora_target_modules": [method.targets] if isinstance(method.targets, str) else list(method.targets),
        "use_rslora": method.rslora,
        "use_dora": method.dora,
    }
    if method.name == "qlora":
        config |= {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": spec.quantisation.type,
            "use_bnb_nested_quant": spec.quantisation.double,
        }
        if spec.devices.strategy == "fsdp":
            # FSDP shards tensors of the type of the other weights only; the default is uint8.
            config["bnb_4bit_quant_storage"] = spec.training.dtype
    return config


def _render_peft_config(spec: RunSpec) -> dict[str, Any]:
    """Return the PEFT config, in the form of `adapter_config.json`."""
    method = spec.method
    common = {"task_type": "CAUSAL_LM", "base_model_name_or_path": spec.model.base}
    targets = method.targets if isinstance(method.targets, str) else list(method.targets)
    if method.name == "ia3":
        feedforward = [t for t in (targets if isinstance(targets, list) else []) if "down" in t or "fc2" in t]
        # IA3 needs to know which targets are feed-forward. Without target names PEFT uses its own table.
        modules = {"target_modules": targets, "feedforward_modules": feedforward}
        return {"peft_type": "IA3", **common, **(modules if isinstance(targets, list) else {})}
    if method.name == "vera":
        modules = {"target_modules": targets} if isinstance(targets, list) else {}
        return {"peft_type": "VERA", **common, "r": method.r, "vera_dropout": method.dropout, **modules}
    kind = {"prompt-tuning": "PROMPT_TUNING", "prefix-tuning": "PREFIX_TUNING"}[str(method.name)]
    return {"peft_type": kind, **common, "num_virtual_tokens": method.virtual_tokens}


def _render_training(spec: RunSpec, job: Job) -> dict[str, Any]:
    t = spec.training
    validate = bool(spec.evaluation.every_steps and job.test_rows)
    config: dict[str, Any] = {
        **hf_trainer.optimisation_arguments(spec, job),
        "gradient_checkpointing": t.gradient_checkpointing,
        "bf16": t.dtype == "bfloat16" and spec.devices.kind == "cuda",
        "fp16": t.dtype == "float16",
        "use_cpu": spec.devices.kind == "cpu",
        **hf_trainer.logging_arguments(spec, job, validate=validate),
        "output_dir": str(job.work),
    }
    if spec.world_size > 1 and spec.devices.strategy == "fsdp":
        config |= {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}
        if spec.method.name == "full" and spec.accumulation > 1:
            # Without it each process keeps the gradients of all weights whole until the last micro-batch.
            config["accelerator_config"] = {"gradient_accumulation_kwargs": {"sync_each_batch": True}}
    if t.liger_kernels:
        config["use_liger_kernel"] = True
    if t.own_speedups:
        config["torch_compile"] = True  # from transformers' guide "GPU"
    if validate:
        config["eval_steps"] = spec.evaluation.every_steps
    if job.resume_from is not None:
        config["resume_from_checkpoint"] = str(job.resume_from)
    return config


def _list_deviations(spec: RunSpec) -> tuple[str, ...]:
    deviations = []
    if spec.method.objective == "orpo":
        deviations.append("method.objective: orpo is in the experimental part of trl")
        deviations.append(
            "data.loss_on: ORPO's loss of the chosen answer counts its prompt too, as its authors do"
        )
        if spec.method.name == "qlora":
            deviations.append("method: trl's ORPOTrainer holds the weights that are not quantised in float32")
    if spec.method.name == "qlora" and spec.training.dtype != "float16":
        deviations.append("method: trl keeps the weights of a QLoRA adapter in bfloat16 during training")
    if spec.devices.kind == "cpu" and spec.training.dtype == "bfloat16":
        deviations.append("training.dtype: on a CPU the weights are bfloat16 and there is no autocast")
    if spec.method.name == "full" and spec.training.dtype == "float16":
        deviations.append("training.dtype: the weights are float32, and autocast computes in float16")
    return tuple(deviations)


def to_yaml(config: Mapping[str, Any]) -> str:
    """Return YAML with one level of nesting (JSON scalars and lists are YAML)."""
    lines = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            lines += [f"{key}:", *(f"  {k}: {json.dumps(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"
