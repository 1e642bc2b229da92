"""What torchtune and litgpt share: own model code, and no PEFT adapter to give back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from finetune.errors import UnsupportedField
from finetune.machine.memory import HEAP_BLOCK_BYTES
from finetune.spec import RunSpec
from finetune.stacks import Job
from finetune.stacks.shared import gate, peft_export, refusals
from finetune.weights.family import Family


def refuse_common(stack: str, spec: RunSpec) -> None:
    """Refuse what neither of the two can do.

    Raises:
        UnsupportedField: the spec asks for it.
    """
    refusals.refuse_other_methods(stack, spec)
    refusals.refuse(
        stack,
        spec,
        {
            "model.trust_remote_code": (False, "it runs its own model code, and none of the model's"),
            "data.packing": (False, "rows that are tokens already are not packed there"),
            "method.dora": (False, "there is no exact conversion of its DoRA to PEFT's yet"),
        },
    )
    if spec.world_size > 1:
        why = "bitsandbytes' optimisers do not know the parts of weights that its processes hold"
        refusals.refuse(stack, spec, {"training.optimizer": ("adamw", why)})
    if spec.training.dtype == "float16":
        raise UnsupportedField(stack, "training.dtype", "float16", "it scales no gradients; use bfloat16")


def rows(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Arguments of our stream of rows."""
    return {
        "path": str(job.data / "train.jsonl"),
        "steps": job.steps,
        "batch": spec.training.batch_size,
        "seed": spec.training.seed,
        "first_step": first_step(job),
    }


def progress(spec: RunSpec, job: Job) -> dict[str, Any]:
    """Arguments of our progress."""
    return {
        "steps": job.steps,
        "every": spec.logging.every_steps,
        "validate_every": spec.evaluation.every_steps if job.test_rows else 0,
        "save_every": spec.logging.save_every_steps,
        "keep": spec.logging.keep_checkpoints,
    }


def first_step(job: Job) -> int:
    """The step of the checkpoint that the run goes on from."""
    return int(job.resume_from.name.rpartition("-")[2]) if job.resume_from else 0


def deviations(spec: RunSpec, job: Job) -> list[str]:
    """What both can only nearly do."""
    told = []
    if job.rows % spec.training.batch_size and job.steps * spec.training.batch_size > job.rows:
        told.append(
            f"training.epochs: the last batch of an epoch ({job.rows % spec.training.batch_size} rows) is "
            "filled up with the first rows of the next; trl takes a smaller batch"
        )
    if spec.world_size > 1 and spec.devices.strategy == "ddp":
        told.append("devices.strategy: its processes share the model out among them (FSDP2); it has no DDP")
    if spec.training.dtype != "float32":
        told.append(f"training.dtype: the adapter's own weights are {spec.training.dtype} too")
    return told


def environment(spec: RunSpec) -> Mapping[str, str]:
    """Of every stack: no telemetry, no network (the model is fetched before), no GPU where none is asked for.

    glibc gives large blocks back at once, instead of keeping them in a fragmented heap: the peak falls by a
    fifth to a third (see benchmarks/results) at no cost in time that could be measured.
    """
    variables = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    variables |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if spec.devices.kind == "cpu":
        variables |= {"CUDA_VISIBLE_DEVICES": "", "MALLOC_MMAP_THRESHOLD_": str(HEAP_BLOCK_BYTES)}
    return variables


def hand_over(spec: RunSpec, job: Job, family: Family, trained: tuple[str, ...], take_apart: Any) -> Path:
    """Convert the adapter, lay the tokenizer beside it, and compare logits (of LoRA; a 4-bit base rounds).

    Raises:
        TrainingFailed: there is none, or it is wrong.
    """
    from finetune.data.template import load_tokenizer, with_template

    adapter = peft_export.write(job.folder, spec, family, trained, take_apart)
    tokenizer = load_tokenizer(spec.model.base, spec.model.revision)
    with_template(tokenizer, spec.data.template).save_pretrained(adapter)
    if spec.method.name == "lora":
        gate.check(job.folder)
    return adapter


def as_yaml(config: Mapping[str, Any]) -> str:
    """The config as YAML, in its own order."""
    return str(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=100))
