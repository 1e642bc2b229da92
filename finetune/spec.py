"""RunSpec: everything that a run depends on, as one TOML file with good defaults.

A spec is put together from layers (defaults, a preset, a file, the command line, this machine), and
remembers for each leaf which layer it came from. `auto` (None) leaves are settled by `resolve`, so
that what is stored in a run is complete.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finetune.errors import SpecError

LORA_LIKE = ("lora", "qlora")
MethodName = Literal["lora", "qlora", "full", "ia3", "vera", "prompt-tuning", "prefix-tuning"]
Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Section):
    """The base model: a folder in Hugging Face's layout, or a hub id with a revision."""

    base: str = Field(min_length=1)
    revision: str | None = None
    trust_remote_code: bool = False


class Data(_Section):
    """The rows, and what becomes of them before any stack sees them.

    Attributes:
        train, evaluation: a JSONL, JSON, CSV or Parquet file, or a hub id. Without ``evaluation`` a
            share of the training rows is held out, chosen by a hash of the prompt, so that rows
            with the same prompt never stand on both sides.
        template: ``auto`` (the model's own), ``chatml``, ``alpaca``, or the path of a Jinja file.
        max_length: tokens of a row; longer rows are treated as ``too_long`` says.
        loss_on: ``answers`` trains what the assistant says (and its end of turn) alone.
        misfits: what to do about rows that fit no format.
    """

    train: str = Field(min_length=1)
    evaluation: str | None = None
    evaluation_share: float = Field(0.1, ge=0, lt=1)
    format: Literal["auto", "alpaca", "chat", "sharegpt", "prompt-completion", "text"] = "auto"
    template: str = "auto"
    max_length: Positive = 2048
    too_long: Literal["truncate", "drop", "stop"] = "truncate"
    loss_on: Literal["answers", "everything"] = "answers"
    packing: bool = False
    misfits: Literal["stop", "skip"] = "stop"


class Method(_Section):
    """What is trained. The names are PEFT's; ``advisor methods`` explains them.

    Attributes:
        name: None is settled by the machine: ``qlora`` with a GPU, ``lora`` without.
        r, alpha, dropout, rslora, dora: of LoRA and QLoRA; ``r`` of VeRA too.
        targets: names of linear layers, or ``all-linear``.
        virtual_tokens: of prompt tuning and prefix tuning.
    """

    name: MethodName | None = None
    r: Positive = 16
    alpha: Positive = 32
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False
    virtual_tokens: Positive = 20

    @model_validator(mode="after")
    def _lora_options_need_lora(self) -> Method:
        if self.name is not None and self.name not in LORA_LIKE and (self.rslora or self.dora):
            raise ValueError(f"rslora and dora belong to lora and qlora, not to {self.name}")
        if self.targets == ():
            raise ValueError("targets is empty: name layers, or write all-linear")
        return self


class Quantisation(_Section):
    """Of the frozen base weights, for ``qlora`` alone."""

    type: Literal["nf4", "fp4"] = "nf4"
    double: bool = True


class Training(_Section):
    """How the optimiser walks.

    Attributes:
        dtype: of the computation; None: bfloat16 on a GPU, float32 on a CPU.
        batch_size: rows of one optimiser step over all processes; a multiple of
            ``micro_batch_size`` x processes.
        micro_batch_size: rows in memory at once on one process; None: at most 4.
        epochs, steps: ``steps`` wins where it is given.
        warmup: below 1 a share of the steps, from 1 on a number of steps.
        gradient_checkpointing: None: on with a GPU, off on a CPU.
        optimizer: AdamW as torch has it, or its paged 8-bit form from bitsandbytes.
        own_speedups: on top of it what the stack's own documentation recommends for speed.
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
    seed: int = Field(42, ge=0, lt=2**32)
    own_speedups: bool = False


class Evaluation(_Section):
    """What is measured on the held-out rows: ``rows`` at most, ``generations`` answers shown."""

    every_steps: int = Field(0, ge=0)
    rows: int = Field(200, ge=0)
    generations: int = Field(3, ge=0)
    max_new_tokens: Positive = 64


class Logging(_Section):
    """How often the stack reports and saves, in optimiser steps."""

    every_steps: Positive = 1
    save_every_steps: Positive = 100
    keep_checkpoints: Positive = 2


class Devices(_Section):
    """Where it runs. ``kind`` None: a GPU where there is one."""

    kind: Literal["cpu", "cuda"] | None = None
    processes: Positive = 1
    nodes: Positive = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"


class RunSpec(_Section):
    """One run. ``output`` None: a folder of its own among the user's runs."""

    stack: str = "trl"
    model: Model
    data: Data
    method: Method = Method()
    quantisation: Quantisation = Quantisation()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    logging: Logging = Logging()
    devices: Devices = Devices()
    output: str | None = None

    @model_validator(mode="after")
    def _batch_divides(self) -> RunSpec:
        t = self.training
        if t.micro_batch_size is not None:
            at_once = t.micro_batch_size * self.world_size
            if t.batch_size % at_once:
                raise ValueError(
                    f"training.batch_size {t.batch_size} is no multiple of micro_batch_size x processes "
                    f"x nodes = {at_once}"
                )
        return self

    @property
    def world_size(self) -> int:
        """Training processes over all nodes."""
        return self.devices.processes * self.devices.nodes

    @property
    def accumulation(self) -> int:
        """Micro-batches of one optimiser step on one process; the spec must be resolved."""
        return self.training.batch_size // ((self.training.micro_batch_size or 1) * self.world_size)

    def steps(self, rows: int) -> int:
        """Optimiser steps for this many training rows (the last, smaller batch counts)."""
        if self.training.steps is not None:
            return self.training.steps
        a_epoch = -(-rows // self.training.batch_size)
        return max(1, round(a_epoch * self.training.epochs))

    def warmup_steps(self, rows: int) -> int:
        """Steps of linear warm-up."""
        warmup = self.training.warmup
        return int(warmup) if warmup >= 1 else round(self.steps(rows) * warmup)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "method": {"r": 8, "alpha": 16},
        "data": {"max_length": 512},
        "training": {"steps": 60, "batch_size": 8, "learning_rate": 5e-4},
        "evaluation": {"rows": 64},
    },
    "quality": {
        "method": {"r": 64, "alpha": 64, "rslora": True, "dropout": 0.05},
        "training": {"epochs": 3.0, "learning_rate": 1e-4, "batch_size": 32},
        "evaluation": {"rows": 500, "every_steps": 50},
    },
    "gpu-poor": {
        "method": {"name": "qlora", "r": 8, "alpha": 16},
        "data": {"max_length": 1024},
        "training": {
            "micro_batch_size": 1,
            "gradient_checkpointing": True,
            "optimizer": "paged_adamw_8bit",
        },
    },
}


@dataclass(frozen=True)
class Composed:
    """A spec and, for each leaf (``training.seed``), the layer that it came from."""

    spec: RunSpec
    origins: Mapping[str, str]


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every leaf of nested tables."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The other way: ``{"training.seed": 1}`` → ``{"training": {"seed": 1}}``."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, leaf = name.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise SpecError(f"{name}: {section} is a value, not a section")
        table[leaf] = value
    return tree


def read_layer(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SpecError: there is no such file, it cannot be read, or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(f"there is no run file {path}") from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is not TOML: {error}") from None


def preset(name: str) -> Mapping[str, Any]:
    """The tables of a preset.

    Raises:
        SpecError: there is none of this name.
    """
    if name not in PRESETS:
        raise SpecError(f"unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def compose(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Composed:
    """Lay the layers over the defaults, the last one on top.

    Raises:
        SpecError: a field does not exist, or a value cannot be; every fault is named.
    """
    flat: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source, tables in layers:
        for name, value in leaves(tables):
            flat[name], origins[name] = value, source
    try:
        spec = RunSpec.model_validate(nest(flat))
    except ValidationError as error:
        raise SpecError(_explain(error, origins)) from None
    return Composed(spec, {name: origins.get(name, "default") for name, _ in leaves(spec.model_dump())})


def override(composed: Composed, source: str, values: Mapping[str, Any]) -> Composed:
    """The same with some leaves set by another layer."""
    flat = dict(leaves(composed.spec.model_dump()))
    made = compose([("", nest({**flat, **values}))])
    return Composed(made.spec, {**composed.origins, **dict.fromkeys(values, source)})


def resolve(composed: Composed, *, gpus: int, bfloat16: bool = True) -> Composed:
    """Settle what was left to the machine.

    Args:
        composed: the spec as asked for.
        gpus: GPUs that can be used here.
        bfloat16: whether the GPU computes in bfloat16 (compute capability 8.0 and up).

    Raises:
        SpecError: a GPU is demanded where there is none.
    """
    spec = composed.spec
    found = f"machine: {gpus} GPU" if gpus else "machine: no GPU"
    if spec.devices.kind == "cuda" and not gpus:
        raise SpecError(
            "devices.kind = 'cuda', but no GPU was found here (nvidia-smi). Leave it out to train a "
            "small model on the CPU, or run this on a machine with a GPU"
        )
    cuda = (spec.devices.kind or ("cuda" if gpus else "cpu")) == "cuda"
    half = "bfloat16" if bfloat16 else "float16"
    name = spec.method.name or ("qlora" if cuda else "lora")
    micro = max(m for m in range(1, 5) if spec.training.batch_size % (m * spec.world_size) == 0 or m == 1)
    settled = {
        "devices.kind": "cuda" if cuda else "cpu",
        "method.name": name,
        "training.dtype": half if cuda else "float32",
        "training.gradient_checkpointing": cuda,
        "training.micro_batch_size": micro,
    }
    now = dict(leaves(spec.model_dump()))
    auto = {leaf: value for leaf, value in settled.items() if now[leaf] is None}
    resolved = override(composed, found, auto)
    _can_be(resolved.spec)
    return resolved


def _can_be(spec: RunSpec) -> None:
    if spec.devices.strategy == "fsdp" and spec.world_size == 1:
        raise SpecError(
            "devices.strategy = 'fsdp' shares a model out among processes, and this run has one; "
            "ask for more with --gpus N, or leave it out"
        )
    if spec.devices.kind == "cpu" and spec.training.optimizer == "paged_adamw_8bit":
        raise SpecError(
            "training.optimizer = 'paged_adamw_8bit' needs a GPU, and this run is on the CPU; use 'adamw'"
        )
    if spec.devices.kind == "cpu" and spec.training.dtype == "float16":
        raise SpecError(
            "training.dtype = 'float16' needs a GPU, and this run is on the CPU; use 'float32' or 'bfloat16'"
        )


def to_toml(spec: RunSpec) -> str:
    """The spec as TOML that `read_layer` gives back; leaves that are None are left out."""
    tables = spec.model_dump(mode="json")
    top = {k: v for k, v in tables.items() if not isinstance(v, dict)}
    lines = [f"{k} = {_literal(v)}" for k, v in top.items() if v is not None]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{k} = {_literal(v)}" for k, v in table.items() if v is not None)]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    faults = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(("literal", "tuple")))
        what = "there is no such field" if fault["type"] == "extra_forbidden" else fault["msg"]
        source = f" (from {origins[name]})" if name in origins else ""
        faults.append(f"{name or 'run'}: {what.removeprefix('Value error, ')}{source}")
    return "the run cannot be specified so: " + "; ".join(faults)
