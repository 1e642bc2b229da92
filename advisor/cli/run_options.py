"""The options of the commands about training, and the run spec that they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import completion

if TYPE_CHECKING:
    from finetune.callbacks import RunCallbacks
    from finetune.spec import ComposedSpec


class Tracker(StrEnum):
    """A tool that a stack reports to."""

    trackio = "trackio"
    wandb = "wandb"


Run = Annotated[str, typer.Argument(help="A run: its folder, its id, or the start of its id.")]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="DATA", help="Rows to train on: a JSONL, JSON, CSV or Parquet file, or a hub id (owner/name)."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Base model: a folder in Hugging Face's layout, or a hub id."),
]
EvalData = Annotated[
    str | None,
    typer.Option(metavar="DATA", help="Held-out rows. Default: a tenth of the rows to train on."),
]
Stack = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Stack that trains. Default: the recommended one that runs on this machine.",
        autocompletion=completion.stacks,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Set of fields to start from: gpu-poor, quality or quick.",
        autocompletion=completion.presets,
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="Run spec as TOML. The other options override its fields."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Value of a field of the run spec, for example training.epochs=3. Repeatable.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="How right an answer is: exact-match, label-f1, json-valid, json-fields, or your own function "
        "FILE.py:FUNCTION. Repeatable. Default: what suits the answers in the rows.",
    ),
]
Sweep = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="FIELD=VALUE,VALUE",
        help="Train once with each value, for example learning_rate=1e-4,2e-4. Repeatable: all combinations, "
        "at most 12 runs. A hopeless run is stopped early.",
    ),
]
FromRun = Annotated[
    str | None,
    typer.Option(
        metavar="RUN", help="Start from the spec of this run, and record it as the parent of the new run."
    ),
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why you try this, for `advisor runs tree`.")]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="WORD", help="Word to find the run by. Repeatable."),
]
ReportTo = Annotated[
    Tracker | None,
    typer.Option(
        "--report-to",
        help="Also report each step to trackio, or to Weights & Biases (wandb), whose offline files "
        "`wandb sync` uploads.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Folder of the run. Default: a new one in your data folder."
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes on each machine: one for each GPU. Default: 1."),
]
Nodes = Annotated[int | None, typer.Option(min=1, metavar="N", help="Number of machines. Default: 1.")]
Submit = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEDULER",
        help="Write a job for slurm, skypilot or kubernetes into the folder of -o, and do not start it.",
    ),
]
Accelerator = Annotated[
    str | None, typer.Option(metavar="NAME", help="GPU of a skypilot job, for example A100.")
]
Volume = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Bucket or volume of a job that all machines can read and write."),
]
Image = Annotated[str, typer.Option(metavar="NAME", help="Container image of a kubernetes job.")]
Demo = Annotated[
    bool, typer.Option("--demo", help="Train SmolLM2-135M on a bundled data set, without the hub.")
]


@dataclass(frozen=True)
class RunOptions:
    """The options that `train`, `plan` and `preview` share.

    Attributes:
        data, model, eval_data, stack, preset: as typed.
        spec: file of a run spec.
        fields: texts ``field=value``.
        demo: whether to start from the settings of the demo.
        metrics: names of metrics of the task.
        parent: name of the run whose spec is the start.
        report_to: the tool that the stack reports to.
    """

    data: str | None = None
    model: str | None = None
    eval_data: str | None = None
    stack: str | None = None
    preset: str | None = None
    spec: Path | None = None
    fields: list[str] | None = None
    demo: bool = False
    metrics: list[str] | None = None
    parent: str | None = None
    report_to: Tracker | None = None


@dataclass(frozen=True)
class RunRequest:
    """The run spec that the options give.

    Attributes:
        composed_spec: the spec, with the origin of each value.
        recommendation: why this stack trains; None if you chose it.
    """

    composed_spec: ComposedSpec
    recommendation: Mapping[str, Any] | None


def compose_run(options: RunOptions, callbacks: RunCallbacks, output: Path | None = None) -> RunRequest:
    """Return the run spec from all options; later layers override earlier ones.

    Raises:
        InputError: an option is missing or wrong.
    """
    from advisor.errors import InputError
    from finetune import spec as specs
    from finetune import train_extra
    from finetune.stacks import load_stack

    fields = [("--set", specs.nest_leaves(dict([parse_field(text)]))) for text in options.fields or []]
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if options.demo:
        layers.append(("--demo", _demo_layer(callbacks)))
    if options.parent is not None:
        layers.append((f"run {options.parent}", _parent_layer(options.parent)))
    if options.preset is not None:
        layers.append((f"--preset {options.preset}", specs.get_preset(options.preset)))
    if options.spec is not None:
        layers.append((str(options.spec), specs.read_layer(options.spec)))
    values: dict[str, tuple[str, Any]] = {
        "data.train": ("--data", options.data),
        "data.evaluation": ("--eval-data", options.eval_data),
        "model.base": ("--model", options.model),
        "output": ("--output", str(output) if output else None),
        "stack": ("--stack", options.stack),
        "evaluation.metrics": ("--metric", options.metrics or None),
        "logging.report_to": ("--report-to", options.report_to and options.report_to.value),
    }
    for name, (option, value) in values.items():
        if value is not None:
            layers.append((option, specs.nest_leaves({name: value})))
    layers += fields
    names = {name for _, tables in layers for name, _ in specs.iterate_leaves(tables)}
    for name, option in (("data.train", "--data"), ("model.base", "--model")):
        if name not in names:
            raise InputError(f"missing option {option}: add it, or try `advisor train --demo`")
    recommendation = None
    if "stack" not in names:
        values_so_far = {n: value for _, tables in layers for n, value in specs.iterate_leaves(tables)}
        stack, recommendation = _recommend_stack(
            values_so_far.get("devices.kind"),
            values_so_far.get("method.objective", "sft"),
            callbacks.on_stage,
        )
        layers.append(("recommended", {"stack": stack}))
    composed_spec = specs.compose_spec(layers)
    load_stack(composed_spec.spec.stack)  # reports an unknown name before anything is read
    train_extra.import_transformers_without_torch()
    return RunRequest(composed_spec, recommendation)


def _demo_layer(callbacks: RunCallbacks) -> dict[str, Any]:
    """Return the model, data and settings of the demo."""
    from advisor.domain.files import data_folder
    from finetune import demo

    examples = data_folder() / "examples"
    settings: dict[str, Any] = dict(demo.SETTINGS)
    rows = {
        "train": str(examples / "harbour-train.jsonl"),
        "evaluation": str(examples / "harbour-test.jsonl"),
    }
    model = {"base": str(demo.prepare_model(callbacks.on_stage))}
    return {**settings, "model": model, "data": {**settings["data"], **rows}}


def _parent_layer(name: str) -> dict[str, Any]:
    """Return the spec of a run, without its folder."""
    from finetune import record
    from finetune.spec import iterate_leaves, nest_leaves

    folder = record.find_run(name)
    spec = record.read_spec(folder, record.read_record(folder))
    leaves = dict(iterate_leaves(spec.model_dump(exclude={"output"})))
    return nest_leaves({leaf: value for leaf, value in leaves.items() if value is not None})


def _recommend_stack(
    kind: str | None, objective: str, on_stage: Callable[[str], None] = lambda _: None
) -> tuple[str, dict[str, Any]]:
    """Return the name of the recommended stack that can run here, and why it is recommended.

    Args:
        kind: ``cpu`` or ``cuda``, if the run says so; None: as the machine has it.
        objective: ``sft``, or a preference, which not every stack trains on.
        on_stage: called with the reason if it is not the choice of the ranking.

    Raises:
        InputError: advisor has no stack for any of the suitable libraries.
    """
    from advisor import recommend
    from advisor.errors import InputError
    from finetune.machine.hardware import detect_machine
    from finetune.stacks import STACKS, load_stack
    from finetune.stacks.shared.refusals import PREFERENCE_STACKS

    answer = recommend()
    stacks = {load_stack(name).repository: load_stack(name) for name in STACKS}
    has_gpu = kind == "cuda" or (kind is None and bool(detect_machine().gpus))
    ranked = [r.repository for r in answer.ranking if r.rank is not None]
    for repository in (answer.choice, *ranked):
        stack = stacks.get(repository or "")
        if stack is None or (getattr(stack, "needs_gpu", False) and not has_gpu):
            continue
        if objective != "sft" and stack.name not in PREFERENCE_STACKS:
            continue
        why = {"choice": repository, "certainty": answer.certainty, "as_of": str(answer.as_of)}
        if repository == answer.choice:
            return stack.name, {**why, "reasons": list(answer.reasons)}
        obstacle = f"{answer.choice} needs a GPU or has no stack"
        if objective != "sft":
            obstacle = f"advisor does not run {objective} with {answer.choice}"
        reason = f"the next of the ranking that can train here; {obstacle}"
        on_stage(f"the stack is {stack.name}, {reason}")
        return stack.name, {**why, "reasons": [reason]}
    raise InputError("cannot train with any of the suitable libraries: choose a stack with --stack")


def parse_field(text: str) -> tuple[str, Any]:
    """Return name and value of ``training.epochs=3``; the value is TOML, or else plain text.

    Raises:
        InputError: the text is not of that form.
    """
    import tomllib

    from advisor.errors import InputError

    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InputError(f"invalid --set {text!r}: expected FIELD=VALUE, for example training.epochs=3")
    try:
        return name.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
