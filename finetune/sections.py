"""The tables of a run specification: what each field means and which values it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

LORA_LIKE = ("lora", "qlora")
Objective = Literal["sft", "dpo", "orpo", "kto"]
# Objective → the format of its rows.
PREFERENCE_FORMATS: Mapping[str, str] = {
    "dpo": "preference",
    "orpo": "preference",
    "kto": "unpaired-preference",
}
# Objectives that people look for, and why advisor does not train with them.
_OTHER_OBJECTIVES = {
    "grpo": "GRPO needs a reward function and generates its rows during the training; use `trl grpo`",
    "reward": "a reward model has another output layer than a language model; use `trl reward`",
}
MethodName = Literal["lora", "qlora", "full", "ia3", "vera", "prompt-tuning", "prefix-tuning"]
_EMBEDDINGS = (
    "LoRA does not train the embedding of a new token, and advisor adds none; use tokens that the model "
    "knows, or its instruct model"
)
# What people look for, and why a run specification does not have it.
ABSENT_FIELDS: Mapping[str, str] = {
    "objective": "the field is method.objective",
    "reward": "advisor trains no reward model; use `trl reward`",
    "modules_to_save": "advisor trains linear layers only: its exports and merges would lose whole layers "
    "that are saved beside them; use method.name = 'full'",
    "added_tokens": _EMBEDDINGS,
    "new_tokens": _EMBEDDINGS,
    "trainable_token_indices": _EMBEDDINGS,
    "images": "advisor trains on text only",
}
Positive = Annotated[int, Field(ge=1)]
AUTOMATIC_METRIC = "auto"
METRIC_NAMES = (AUTOMATIC_METRIC, "exact-match", "label-f1", "json-valid", "json-fields")


class Section(BaseModel):
    """A table of a run specification: frozen, and without other fields than its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(Section):
    """The base model: a folder in Hugging Face's layout, or a hub id with a revision."""

    base: str = Field(min_length=1)
    revision: str | None = None
    trust_remote_code: bool = False


class Data(Section):
    """The rows, and how they are prepared for every stack.

    Attributes:
        train, evaluation: a JSONL, JSON, CSV or Parquet file, or a hub id. Without ``evaluation`` a
            share of the training rows is held out. A hash of the prompt chooses them, so rows with
            the same prompt are always on the same side.
        template: ``auto`` (the model's own), ``chatml``, ``alpaca``, or the path of a Jinja file.
        max_length: tokens of a row; ``too_long`` says what happens to longer rows.
        packing: put several rows into one sequence of ``max_length``; no row sees another one.
        loss_on: ``answers`` trains only the assistant's answers and their end-of-turn tokens.
        misfits: what to do with rows that match no format.
        ignored_columns: columns of the rows that advisor does not read, such as notes.
    """

    train: str = Field(min_length=1)
    evaluation: str | None = None
    evaluation_share: float = Field(0.1, ge=0, lt=1)
    format: Literal[
        "auto", "alpaca", "chat", "sharegpt", "prompt-completion", "text", "preference", "unpaired-preference"
    ] = "auto"
    template: str = "auto"
    max_length: Positive = 2048
    too_long: Literal["truncate", "drop", "stop"] = "truncate"
    loss_on: Literal["answers", "everything"] = "answers"
    packing: bool = False
    misfits: Literal["stop", "skip"] = "stop"
    ignored_columns: tuple[str, ...] = ()


class Method(Section):
    """The training method. The names are PEFT's; ``advisor methods`` explains them.

    Attributes:
        name: None: ``qlora`` on a machine with a GPU, ``lora`` without.
        objective: ``sft`` trains on answers, ``dpo`` and ``orpo`` on pairs of a chosen and a rejected answer,
            ``kto`` on answers with the label true (desirable) or false.
        beta: how strongly ``dpo`` and ``kto`` hold the model to its reference, the untrained model; for
            ``orpo`` the weight of the preference beside the loss of the chosen answer.
        r, alpha, dropout, rslora, dora: for LoRA and QLoRA; ``r`` for VeRA too.
        targets: names of linear layers, or ``all-linear``.
        virtual_tokens: for prompt tuning and prefix tuning.
    """

    name: MethodName | None = None
    objective: Objective = "sft"
    beta: float = Field(0.1, gt=0)
    r: Positive = 16
    alpha: Positive = 32
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False
    virtual_tokens: Positive = 20

    @field_validator("objective", mode="before")
    @classmethod
    def _other_objectives(cls, value: object) -> object:
        if isinstance(value, str) and value in _OTHER_OBJECTIVES:
            raise ValueError(f"{value}: {_OTHER_OBJECTIVES[value]}")
        return value

    @field_validator("targets")
    @classmethod
    def _targets_have_names(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if not targets:
            raise ValueError("it is empty: expected names of layers, or all-linear")
        return targets


class Quantisation(Section):
    """Quantisation of the frozen base weights; only for ``qlora``."""

    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = True


class Training(Section):
    """The optimiser, its schedule and its batches.

    Attributes:
        dtype: type of the computation; None: bfloat16 on a GPU, float32 on a CPU.
        batch_size: rows of one optimiser step over all processes; a multiple of
            ``micro_batch_size`` x processes.
        micro_batch_size: rows in memory at once in one process; None: at most 4.
        epochs, steps: the length of the run; of two layers, the later one has precedence (`compose_spec`).
        warmup: below 1 a share of the steps; 1 or more, a number of steps.
        gradient_checkpointing: None: on with a GPU, off on a CPU.
        learning_rate: of a preference objective by default 1e-5, and 1e-6 for ``full``; see `resolve_spec`.
        optimizer: torch's AdamW, or the paged 8-bit AdamW of bitsandbytes.
        fused_optimizer: one kernel updates all weights; bitsandbytes' optimizers always do this.
        attention: how attention is computed: ``sdpa`` is torch's own function, which chooses a kernel for the
            GPU; ``flash`` is the package flash-attn; ``eager`` is plain matrix products.
        liger_kernels: norms, rotary embeddings and MLPs use the Triton kernels of the package liger-kernel.
        own_speedups: also use the settings that the stack's own documentation recommends for speed.
    """

    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    batch_size: Positive = 16
    micro_batch_size: Positive | None = None
    epochs: float = Field(1.0, gt=0)
    steps: Positive | None = None
    learning_rate: float = Field(2e-4, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(0.03, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, ge=0)
    gradient_checkpointing: bool | None = None
    optimizer: Literal["adamw", "paged_adamw_8bit"] = "adamw"
    fused_optimizer: bool = True
    attention: Literal["sdpa", "flash", "eager"] = "sdpa"
    liger_kernels: bool = False
    seed: int = Field(42, ge=0, lt=2**32)
    own_speedups: bool = False


class Evaluation(Section):
    """The evaluation on the held-out rows.

    Attributes:
        every_steps: optimiser steps between two validations; 0: no validation during training.
        rows: maximum number of held-out rows.
        generations: number of sample answers.
        max_new_tokens: maximum number of tokens of a sample answer.
        metrics: how right the answers to the held-out rows are: ``exact-match``, ``label-f1``,
            ``json-valid``, ``json-fields``, or your own function ``FILE.py:FUNCTION`` of answer and reference
            (and question). ``auto``: those that suit the answers in the rows; empty: only the loss.
    """

    every_steps: int = Field(0, ge=0)
    rows: int = Field(200, ge=0)
    generations: int = Field(3, ge=0)
    max_new_tokens: Positive = 64
    metrics: tuple[str, ...] = (AUTOMATIC_METRIC,)

    @field_validator("metrics")
    @classmethod
    def _names_are_metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in METRIC_NAMES and not re.fullmatch(r".+\.py:[^\W\d]\w*", name):
                known_names = ", ".join(METRIC_NAMES)
                raise ValueError(f"unknown metric {name!r}: expected {known_names}, or FILE.py:FUNCTION")
        return names


class Logging(Section):
    """How often the stack reports and saves, in optimiser steps, and to which tool it reports too.

    Attributes:
        report_to: ``trackio`` or ``wandb``: transformers' own integration reports to it as well. The training
            has no network, so wandb writes its files into ``RUN/work/wandb`` for ``wandb sync``, and trackio
            into its own folder on this machine.
    """

    every_steps: Positive = 1
    save_every_steps: Positive = 100
    keep_checkpoints: Positive = 2
    report_to: Literal["none", "trackio", "wandb"] = "none"


class Devices(Section):
    """The devices of a run. ``kind`` None: a GPU if the machine has one."""

    kind: Literal["cpu", "cuda"] | None = None
    processes: Positive = 1
    nodes: Positive = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
