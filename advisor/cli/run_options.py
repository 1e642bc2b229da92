"""The options of `train`, `plan` and `preview`, and the run spec that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from finetune.run import Watch
    from finetune.spec import Composed

Data = Annotated[str | None, typer.Option(help="JSONL, JSON, CSV, Parquet, or a hub id (owner/name).")]
Model = Annotated[str | None, typer.Option(help="Folder of the base model, or its hub id.")]
EvalData = Annotated[str | None, typer.Option(help="Held-out rows; else a tenth of the data.")]
Stack = Annotated[str | None, typer.Option(help="Train with this stack, not the recommended one.")]
Preset = Annotated[str | None, typer.Option(help="gpu-poor, quality or quick.")]
File = Annotated[Path | None, typer.Option("--spec", help="A run as TOML; options here win over it.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any field, e.g. training.epochs=3; may be repeated.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the run.")]
Gpus = Annotated[
    int | None, typer.Option(min=1, help="Processes of one machine, one a GPU (or a CPU process each).")
]
Nodes = Annotated[int | None, typer.Option(min=1, help="Machines; see --submit.")]
Submit = Annotated[
    str | None, typer.Option(help="Write a job for slurm, skypilot or kubernetes into -o, and start nothing.")
]
Accelerator = Annotated[str | None, typer.Option(help="With --submit skypilot: the GPU, e.g. A100.")]
Volume = Annotated[str | None, typer.Option(help="With --submit: a bucket or volume that all machines see.")]
Image = Annotated[str, typer.Option(help="With --submit kubernetes: the container.")]
Demo = Annotated[bool, typer.Option("--demo", help="SmolLM2-135M on a bundled data set; needs no hub.")]


@dataclass(frozen=True)
class RunOptions:
    """What is to be trained: the options of `train`, `plan` and `preview`."""

    data: str | None = None
    model: str | None = None
    eval_data: str | None = None
    stack: str | None = None
    preset: str | None = None
    spec: Path | None = None
    set_: list[str] | None = None
    demo: bool = False


@dataclass(frozen=True)
class Asked:
    """The spec that the options ask for, and the recommendation behind its stack."""

    composed: Composed
    recommendation: Mapping[str, Any] | None


def compose(task: RunOptions, watch: Watch, output: Path | None = None) -> Asked:
    """The spec from all options.

    Raises:
        InputError: an option is missing or wrong.
    """
    from advisor.errors import InputError
    from finetune import home
    from finetune import spec as specs
    from finetune.stacks import stack

    layers: list[tuple[str, Mapping[str, Any]]] = []
    if task.demo:
        layers.append(("--demo", demo_layer(watch)))
    if task.preset is not None:
        layers.append((f"--preset {task.preset}", specs.preset(task.preset)))
    if task.spec is not None:
        layers.append((str(task.spec), specs.read_layer(task.spec)))
    options = {
        "data.train": ("--data", task.data),
        "data.evaluation": ("--eval-data", task.eval_data),
        "model.base": ("--model", task.model),
        "output": ("--output", str(output) if output else None),
        "stack": ("--stack", task.stack),
    }
    for name, (option, value) in options.items():
        if value is not None:
            layers.append((option, specs.nest({name: value})))
    layers += [("--set", specs.nest({name: value})) for name, value in map(assignment, task.set_ or [])]
    given = {name for _, tables in layers for name, _ in specs.leaves(tables)}
    for name, option in (("data.train", "--data"), ("model.base", "--model")):
        if name not in given:
            raise InputError(f"{option} is missing: say what to train on, or try `advisor train --demo`")
    chosen = None
    if "stack" not in given:
        name, chosen = recommended_stack()
        layers.append(("recommended", {"stack": name}))
    composed = specs.compose(layers)
    stack(composed.spec.stack)  # an unknown name is told before anything is read
    home.without_torch()
    return Asked(composed, chosen)


def demo_layer(watch: Watch) -> dict[str, Any]:
    """Model, data and settings of the demo."""
    from advisor.domain.files import data_folder
    from finetune import demo

    examples = data_folder() / "examples"
    settings: dict[str, Any] = dict(demo.SETTINGS)
    rows = {
        "train": str(examples / "harbour-train.jsonl"),
        "evaluation": str(examples / "harbour-test.jsonl"),
    }
    return {**settings, "model": {"base": str(demo.model(watch.stage))}, "data": {**settings["data"], **rows}}


def recommended_stack() -> tuple[str, dict[str, Any]]:
    """Name of the recommended stack, and why.

    Raises:
        InputError: the recommended library is none of our stacks.
    """
    from advisor import recommend
    from advisor.errors import InputError
    from finetune.stacks import STACKS, stack

    answer = recommend()
    names = {stack(name).repository: name for name in STACKS}
    if answer.choice not in names:
        raise InputError(f"{answer.choice} is recommended, but cannot be run from here; choose --stack")
    why = {"choice": answer.choice, "certainty": answer.certainty, "as_of": str(answer.as_of)}
    return names[answer.choice], {**why, "reasons": list(answer.reasons)}


def assignment(text: str) -> tuple[str, Any]:
    """``training.epochs=3`` as name and value; the value is TOML, or else plain text.

    Raises:
        InputError: it is not of that form.
    """
    import tomllib

    from advisor.errors import InputError

    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InputError(f"--set {text!r}: write it as section.field=value, e.g. training.epochs=3")
    try:
        return name.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
