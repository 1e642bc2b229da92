"""RunSpec: everything that a run depends on, in one TOML file with good defaults.

`compose_spec` builds a spec from layers (defaults, a preset, a file, the command line, this machine)
and keeps the layer that each leaf came from. `resolve_spec` sets the leaves that are still None
(automatic), so that a run stores a complete spec.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from advisor.errors import InputError, describe_unknown
from advisor.files import read_text
from finetune.errors import SpecError
from finetune.sections import (
    ABSENT_FIELDS,
    Data,
    Devices,
    Evaluation,
    Logging,
    Method,
    Model,
    Quantisation,
    Section,
    Training,
)


class RunSpec(Section):
    """One run. ``output`` None: a new folder in the user's folder of runs."""

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
                    f"training.batch_size {t.batch_size} is not a multiple of micro_batch_size x processes "
                    f"x nodes = {at_once}"
                )
        return self

    @model_validator(mode="after")
    def _preferences_train_answers(self) -> RunSpec:
        if self.method.objective != "sft" and self.data.loss_on != "answers":
            raise ValueError(
                f"data.loss_on = '{self.data.loss_on}' is for method.objective = 'sft'; "
                f"{self.method.objective} compares answers"
            )
        return self

    @property
    def world_size(self) -> int:
        """The number of training processes on all nodes."""
        return self.devices.processes * self.devices.nodes

    @property
    def accumulation(self) -> int:
        """Micro-batches of one optimiser step in one process; needs a resolved spec."""
        return self.training.batch_size // ((self.training.micro_batch_size or 1) * self.world_size)

    def count_samples(self, rows: int) -> int:
        """Return how many samples the run trains on: its rows, each as often as it is trained."""
        t = self.training
        return max(1, round(rows * t.epochs)) if t.steps is None else t.steps * t.batch_size

    def count_steps(self, rows: int) -> int:
        """Return the optimiser steps for this many rows. Only the last one of a run can be smaller."""
        return -(-self.count_samples(rows) // self.training.batch_size)

    def count_warmup_steps(self, rows: int) -> int:
        """Return the steps of linear warm-up for this many training rows."""
        warmup = self.training.warmup
        return int(warmup) if warmup >= 1 else round(self.count_steps(rows) * warmup)


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


_PREFERENCE_RATES = {"full": 1e-6, "adapter": 1e-5}


@dataclass(frozen=True)
class ComposedSpec:
    """A spec, and the layer that each leaf (``training.seed``) came from."""

    spec: RunSpec
    origins: Mapping[str, str]


def iterate_leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every leaf of nested tables."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from iterate_leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def nest_leaves(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables: ``{"training.seed": 1}`` → ``{"training": {"seed": 1}}``.

    Raises:
        SpecError: a name uses a value as a section.
    """
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
    """Return the tables of a TOML file.

    Raises:
        SpecError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except InputError as error:
        raise SpecError(f"run file {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"run file {path} is not valid TOML: {error}") from None


def get_preset(name: str) -> Mapping[str, Any]:
    """Return the tables of a preset.

    Raises:
        SpecError: no preset has this name.
    """
    if name not in PRESETS:
        raise SpecError(describe_unknown("preset", name, PRESETS))
    return PRESETS[name]


def compose_spec(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> ComposedSpec:
    """Build a spec from layers over the defaults; later layers take precedence.

    The length of a run is in ``training.epochs`` or ``training.steps``: a layer that sets one of them
    replaces the other one of an earlier layer.

    Raises:
        SpecError: fields do not exist or have invalid values; the message lists all of them.
    """
    flat: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source, tables in layers:
        values = dict(iterate_leaves(tables))
        _replace_length(flat, values, origins, source)
        for name, value in values.items():
            flat[name], origins[name] = value, source
            if isinstance(value, str) and not _is_utf8(value):
                raise SpecError(f"invalid {name} {value!r} (from {source}): it is not valid UTF-8")
    try:
        spec = RunSpec.model_validate(nest_leaves(flat))
    except ValidationError as error:
        raise SpecError(_describe_problems(error, origins)) from None
    return ComposedSpec(
        spec, {name: origins.get(name, "default") for name, _ in iterate_leaves(spec.model_dump())}
    )


def _replace_length(
    flat: dict[str, Any], values: Mapping[str, Any], origins: dict[str, str], source: str
) -> None:
    """Remove the length of earlier layers if the values have the other one."""
    for name, other in (("training.epochs", "training.steps"), ("training.steps", "training.epochs")):
        if (
            values.get(name) is not None
            and values.get(other) is None
            and origins.get(other, source) != source
        ):
            flat.pop(other, None)
            origins.pop(other, None)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def override_fields(composed_spec: ComposedSpec, source: str, values: Mapping[str, Any]) -> ComposedSpec:
    """Return the spec with some leaves set by another layer."""
    flat = dict(iterate_leaves(composed_spec.spec.model_dump()))
    spec = compose_spec([("", nest_leaves(flat)), (source, nest_leaves(values))]).spec
    new_values = dict(iterate_leaves(spec.model_dump()))
    changed_fields = {name for name, value in flat.items() if new_values[name] != value}
    return ComposedSpec(spec, {**composed_spec.origins, **dict.fromkeys({*values, *changed_fields}, source)})


def resolve_spec(composed_spec: ComposedSpec, *, gpus: int, bfloat16: bool = True) -> ComposedSpec:
    """Set the automatic leaves from what this machine has.

    Args:
        composed_spec: the spec of the user.
        gpus: number of usable GPUs on this machine.
        bfloat16: whether the GPU computes in bfloat16 (compute capability 8.0 and up).

    Raises:
        SpecError: the spec needs a GPU that this machine does not have, or a value does not suit it.
    """
    spec = composed_spec.spec
    source = f"machine: {gpus} GPU" if gpus else "machine: no GPU"
    if spec.devices.kind == "cuda" and not gpus:
        raise SpecError(
            "devices.kind = 'cuda', but neither nvidia-smi nor torch finds a GPU on this machine (or "
            "CUDA_VISIBLE_DEVICES hides it). Remove the setting to train a small model on the CPU, or use a "
            "machine with a GPU. If there is one, describe it: ADVISOR_GPUS='NVIDIA A10G, 24, 8.6' (name, "
            "GiB, compute capability)"
        )
    cuda = (spec.devices.kind or ("cuda" if gpus else "cpu")) == "cuda"
    if cuda and spec.devices.processes > gpus:
        raise SpecError(
            f"devices.processes = {spec.devices.processes}, but this machine has {gpus} usable GPU"
            f"{'s' if gpus > 1 else ''}, and each process needs one of its own; use --gpus {gpus}"
        )
    half = "bfloat16" if bfloat16 else "float16"
    name = spec.method.name or ("qlora" if cuda else "lora")
    micro = max(m for m in range(1, 5) if spec.training.batch_size % (m * spec.world_size) == 0 or m == 1)
    automatic_values = {
        "devices.kind": "cuda" if cuda else "cpu",
        "method.name": name,
        "training.dtype": half if cuda else "float32",
        "training.gradient_checkpointing": cuda,
        "training.micro_batch_size": micro,
    }
    current_values = dict(iterate_leaves(spec.model_dump()))
    values = {leaf: value for leaf, value in automatic_values.items() if current_values[leaf] is None}
    resolved_spec = _lower_learning_rate(override_fields(composed_spec, source, values))
    _check_devices(resolved_spec.spec)
    _check_kernels(resolved_spec.spec, bfloat16=bfloat16)
    return resolved_spec


def _lower_learning_rate(composed_spec: ComposedSpec) -> ComposedSpec:
    """Replace the learning rate for answers (the default's or a preset's) by the one of a preference.

    trl's own default for DPO and KTO is 1e-6 for all weights; its documentation advises ten times that for
    an adapter.
    """
    spec, origin = composed_spec.spec, composed_spec.origins.get("training.learning_rate", "default")
    if spec.method.objective == "sft" or not origin.startswith(("default", "--preset ")):
        return composed_spec
    rate = _PREFERENCE_RATES["full" if spec.method.name == "full" else "adapter"]
    source = f"{spec.method.objective}, instead of {spec.training.learning_rate} ({origin})"
    return override_fields(composed_spec, source, {"training.learning_rate": rate})


def _check_devices(spec: RunSpec) -> None:
    if spec.devices.strategy == "fsdp" and spec.world_size == 1:
        raise SpecError(
            "devices.strategy = 'fsdp' splits a model over several processes, but this run has one process; "
            "use more with --gpus N, or remove the setting"
        )
    if spec.devices.kind == "cpu" and spec.training.optimizer == "paged_adamw_8bit":
        raise SpecError(
            "training.optimizer = 'paged_adamw_8bit' needs a GPU, but this run uses the CPU; use 'adamw'"
        )
    if spec.devices.kind == "cpu" and spec.training.dtype == "float16":
        raise SpecError(
            "training.dtype = 'float16' needs a GPU, but this run uses the CPU; use 'float32' or 'bfloat16'"
        )


def _check_kernels(spec: RunSpec, *, bfloat16: bool) -> None:
    t = spec.training
    if not t.fused_optimizer and t.optimizer != "adamw":
        raise SpecError(
            f"training.fused_optimizer = false is for 'adamw'; the optimizer {t.optimizer!r} is always fused"
        )
    if spec.devices.kind == "cpu" and t.liger_kernels:
        raise SpecError(
            "training.liger_kernels = true needs a GPU, but this run uses the CPU; remove the setting"
        )
    if t.attention != "flash":
        return
    if spec.devices.kind == "cpu":
        raise SpecError("training.attention = 'flash' needs a GPU, but this run uses the CPU; use 'sdpa'")
    if t.dtype == "float32":
        raise SpecError(
            "training.attention = 'flash' computes in bfloat16 or float16 only, and training.dtype is "
            "'float32'; use 'sdpa', or another dtype"
        )
    if not bfloat16:
        raise SpecError(
            "training.attention = 'flash' needs a GPU of compute capability 8.0 or more, which this machine "
            "does not have; use 'sdpa'"
        )


def to_toml(spec: RunSpec) -> str:
    """Return the spec as TOML that `read_layer` reads; it has no leaves that are None."""
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


def _describe_problems(error: ValidationError, origins: Mapping[str, str]) -> str:
    problems = []
    for details in error.errors():
        name = ".".join(
            str(part) for part in details["loc"] if not str(part).startswith(("literal", "tuple"))
        )
        absent = ABSENT_FIELDS.get(name.rpartition(".")[2], "there is no such field")
        what = absent if details["type"] == "extra_forbidden" else details["msg"]
        source = f" (from {origins[name]})" if name in origins else ""
        problems.append(f"{name or 'run'}: {what.removeprefix('Value error, ')}{source}")
    return "invalid run spec: " + "; ".join(problems)
