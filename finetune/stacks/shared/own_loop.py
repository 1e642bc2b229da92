"""What torchtune and litgpt share: both have their own model code and do not write a PEFT adapter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from finetune.errors import UnsupportedField
from finetune.machine import cuda_variables
from finetune.machine.memory import HEAP_BLOCK_BYTES
from finetune.spec import RunSpec
from finetune.stacks import Job
from finetune.stacks.shared import equivalence, peft_export, refusals
from finetune.weights.family import ModelFamily


def refuse_unsupported_fields(stack: str, spec: RunSpec) -> None:
    """Refuse what neither of the two supports.

    Raises:
        UnsupportedField: the spec has such a value.
    """
    refusals.refuse_preferences(stack, spec)
    refusals.refuse_other_methods(stack, spec)
    refusals.refuse_other_values(
        stack,
        spec,
        {
            "model.trust_remote_code": (False, "it runs its own model code, not the model's"),
            "data.packing": (False, "it does not pack rows that are tokenised already"),
            "training.attention": ("sdpa", "it always calls torch's scaled_dot_product_attention"),
            "training.liger_kernels": (
                False,
                "these kernels do not fit its own model code",
            ),
            "logging.report_to": (
                "none",
                "it reports only to advisor; trl and axolotl report to trackio and W&B",
            ),
            "method.dora": (False, "its DoRA cannot be converted exactly to PEFT's yet"),
        },
    )
    if spec.world_size > 1:
        why = "bitsandbytes' optimisers do not support sharded weights"
        refusals.refuse_other_values(stack, spec, {"training.optimizer": ("adamw", why)})
    if spec.training.dtype == "float16":
        why = (
            "it does not scale gradients; use bfloat16, or float32 on a GPU that only emulates bfloat16 "
            "(compute capability below 8.0); trl, axolotl and unsloth train in float16"
        )
        raise UnsupportedField(stack, "training.dtype", "float16", why, supported_value="float32")


def stream_arguments(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Return the arguments of `finetune.runners.stream.open_stream`."""
    return {
        "path": str(job.data / "train.jsonl"),
        "samples": spec.count_samples(job.rows),
        "steps": job.steps,
        "batch": spec.training.batch_size,
        "seed": spec.training.seed,
        "first_step": first_step(job),
    }


def progress_arguments(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Return the arguments of `finetune.runners.progress.StepProgress`."""
    return {
        "steps": job.steps,
        "every": spec.logging.every_steps,
        "validate_every": spec.evaluation.every_steps if job.test_rows else 0,
        "save_every": spec.logging.save_every_steps,
        "keep": spec.logging.keep_checkpoints,
    }


def first_step(job: Job) -> int:
    """Return the step of the checkpoint that the run resumes from; 0 without one."""
    return int(job.resume_from.name.rpartition("-")[2]) if job.resume_from else 0


def common_deviations(spec: RunSpec) -> list[str]:
    """Return the deviations that both have."""
    deviations = []
    if spec.world_size > 1 and spec.devices.strategy == "ddp":
        deviations.append("devices.strategy: its processes shard the model (FSDP2); it has no DDP")
    if spec.training.dtype != "float32":
        deviations.append(f"training.dtype: the adapter's weights are {spec.training.dtype} too")
    return deviations


def common_environment(spec: RunSpec) -> Mapping[str, str]:
    """Return the variables of every stack: no telemetry, no network, and only the GPUs that the run uses.

    The model is downloaded before. With the malloc setting glibc returns large blocks at once instead of
    keeping them in a fragmented heap. Peak memory falls by a fifth to a third (see benchmarks/results), with
    no measurable cost in time.
    """
    variables = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    variables |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if spec.devices.kind == "cpu":
        variables |= {"CUDA_VISIBLE_DEVICES": "", "MALLOC_MMAP_THRESHOLD_": str(HEAP_BLOCK_BYTES)}
    else:
        variables |= cuda_variables.build_variables(spec.devices.processes)
    return variables


def export_adapter(
    spec: RunSpec, job: Job, family: ModelFamily, targets: tuple[str, ...], read_pairs: Any
) -> Path:
    """Convert the adapter, add the tokenizer, and check the logits.

    Raises:
        TrainingError: the adapter is missing or wrong.
    """
    from finetune.data.template import load_tokenizer, set_template

    adapter = peft_export.write_adapter(job.folder, spec, family, targets, read_pairs)
    tokenizer = load_tokenizer(spec.model.base, spec.model.revision)
    set_template(tokenizer, spec.data.template).save_pretrained(adapter)
    equivalence.check_logits(job.folder)
    return adapter


def to_yaml(config: Mapping[str, Any]) -> str:
    """Return the config as YAML, in its own order."""
    return str(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=100))
