"""advisor train: from a recommendation to a trained adapter."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import advisor
from advisor.cli import app
from advisor.cli.shared_options import takes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune.run import Watch
    from finetune.spec import Composed, RunSpec
    from finetune.submit import Place

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

    data: Data = None
    model: Model = None
    eval_data: EvalData = None
    stack: Stack = None
    preset: Preset = None
    spec: File = None
    set_: Set = None
    demo: Demo = False


@dataclass(frozen=True)
class Asked:
    """The spec that the options ask for, and the recommendation behind its stack."""

    composed: Composed
    recommendation: Mapping[str, Any] | None


@app.command()
@takes(RunOptions)
def train(
    asked: RunOptions,
    output: Output = None,
    gpus: Gpus = None,
    nodes: Nodes = None,
    submit: Submit = None,
    accelerator: Accelerator = None,
    volume: Volume = None,
    image: Image = "python:3.11-slim",
    resume: Annotated[str | None, typer.Option(help="Go on with this run (folder or id).")] = None,
) -> None:
    """Fine-tune a model: check the data, plan the memory, train, evaluate, keep adapter and record.

    With a GPU it is QLoRA, without one LoRA, unless you say otherwise. Examples: advisor train --demo;
    advisor train --data mine.jsonl --model HuggingFaceTB/SmolLM2-135M-Instruct; advisor train
    --resume RUN; advisor train --data mine.jsonl --model MODEL --gpus 8 --nodes 2 --submit slurm -o JOB.
    Look before with `advisor plan` and `advisor preview`.
    """
    from finetune import home, record, run

    wanted = {"devices.processes": gpus, "devices.nodes": nodes}
    more = [f"{leaf}={n}" for leaf, n in wanted.items() if n is not None]
    task = replace(asked, set_=[*(asked.set_ or []), *more])
    if submit is not None:
        from finetune.submit import Place

        place = Place(accelerator, volume, image, advisor.__version__)
        with progress() as watch:
            spec = compose(task, watch).composed.spec
        print(write_job(submit, spec, output, place))
        return
    with progress() as watch:
        if resume is not None:
            home.without_torch()
            folder = run.resume(record.find(resume), watch)
        else:
            made = compose(task, watch, output)
            folder = run.start(made.composed, recommendation=made.recommendation, watch=watch)
    print(summary(folder))


def write_job(kind: str, spec: RunSpec, output: Path | None, place: Place) -> str:
    """Write the files of a job; how to submit it.

    Raises:
        InputError: the folder is missing, or the scheduler must be told more.
    """
    from advisor.errors import InputError
    from finetune import submit

    if output is None:
        raise InputError("--submit needs -o FOLDER: where the job's files go")
    folder = output.expanduser().resolve()
    files = submit.job(kind, spec, folder, place)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return f"written: {', '.join(str(folder / name) for name in files)}\nsubmit:  {submit.how(kind, folder)}"


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
    from advisor.domain import data_folder
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


@contextmanager
def progress() -> Iterator[Watch]:
    """One bar for the whole run, with the loss and the time left; stages above it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from finetune import home
    from finetune.run import Watch

    console = Console(stderr=True)
    home.enter(sys.argv[1:], lambda text: console.print(f"· {text}"))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as bar:
        task = bar.add_task("prepare", total=None, told="", visible=False)

        def event(told: dict[str, Any]) -> None:
            if told["event"] == "step" and told["loss"] is not None:
                memory = (told["gpu_bytes"] or told["rss_bytes"]) / 2**30
                text = f"loss {told['loss']:.3f}  {told['tokens']:,} tokens  {memory:.1f} GiB"
                bar.update(
                    task,
                    description="train",
                    completed=told["step"],
                    total=told["steps"],
                    told=text,
                    visible=True,
                )

        def stopping() -> None:
            console.print("stopping at the end of this step, with a checkpoint; Ctrl-C again to stop at once")

        yield Watch(stage=lambda text: console.print(f"· {text}"), event=event, stopping=stopping)


def summary(folder: Path) -> str:
    """What a finished run has to say; on any but the first of several machines, that it is over."""
    import json

    from finetune import record, spread

    told = record.load(folder)
    if told.spec["devices"]["nodes"] > 1 and spread.rank():
        return f"machine {spread.rank()} is done; the first one evaluates and keeps the record in {folder}"
    lines = [f"{told.outcome}", f"adapter: {folder / 'adapter'}", f"record:  {folder / 'record.json'}"]
    judged = folder / "evaluation.json"
    if judged.is_file():
        for one in json.loads(judged.read_text("utf-8"))["generations"]:
            question = " ".join(one["question"].split())
            lines += ["", question, f"  base:       {' '.join(one['base'].split())}"]
            lines += [f"  fine-tuned: {' '.join(one['adapter'].split())}"]
    return "\n".join(lines)
