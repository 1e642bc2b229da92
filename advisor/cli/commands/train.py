"""advisor train: from a recommendation to a trained adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import advisor
from advisor.cli import app
from advisor.cli.run_options import Data, Demo, EvalData, File, Model, Preset, Set, Stack

if TYPE_CHECKING:
    from finetune.plan.submit import Place
    from finetune.spec import RunSpec
from advisor.cli.run_options import (
    Accelerator,
    Gpus,
    Image,
    Nodes,
    Output,
    RunOptions,
    Submit,
    Volume,
    compose,
)
from advisor.cli.run_progress import progress, summary


@app.command()
def train(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: File = None,
    set_: Set = None,
    demo: Demo = False,
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
    options = RunOptions(data, model, eval_data, stack, preset, spec, set_, demo)
    from finetune import home, record, run

    wanted = {"devices.processes": gpus, "devices.nodes": nodes}
    more = [f"{leaf}={n}" for leaf, n in wanted.items() if n is not None]
    task = replace(options, set_=[*(options.set_ or []), *more])
    if submit is not None:
        from finetune.plan.submit import Place

        place = Place(accelerator, volume, image, advisor.__version__)
        with progress() as watch:
            job_spec = compose(task, watch).composed.spec
        print(write_job(submit, job_spec, output, place))
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
    from finetune.plan import submit

    if output is None:
        raise InputError("--submit needs -o FOLDER: where the job's files go")
    folder = output.expanduser().resolve()
    files = submit.job(kind, spec, folder, place)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return f"written: {', '.join(str(folder / name) for name in files)}\nsubmit:  {submit.how(kind, folder)}"
