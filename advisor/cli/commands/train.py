"""advisor train: from a recommendation to a trained adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import advisor
from advisor.cli import app
from advisor.cli.run_options import (
    Accelerator,
    Data,
    Demo,
    EvalData,
    Fields,
    FromRun,
    Gpus,
    Image,
    Metrics,
    Model,
    Nodes,
    Note,
    Output,
    Preset,
    ReportTo,
    RunOptions,
    SpecFile,
    Stack,
    Submit,
    Sweep,
    Tags,
    Volume,
    compose_run,
)
from advisor.cli.run_output import format_summary, show_progress
from advisor.cli.run_tree import run_sweep
from advisor.files import expand_home

if TYPE_CHECKING:
    from finetune.plan.submit import ClusterSettings
    from finetune.spec import ComposedSpec, RunSpec


@app.command()
def train(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: SpecFile = None,
    fields: Fields = None,
    demo: Demo = False,
    metric: Metrics = None,
    sweep: Sweep = None,
    from_run: FromRun = None,
    note: Note = "",
    tag: Tags = None,
    report_to: ReportTo = None,
    output: Output = None,
    gpus: Gpus = None,
    nodes: Nodes = None,
    submit: Submit = None,
    accelerator: Accelerator = None,
    volume: Volume = None,
    image: Image = "python:3.11-slim",
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Resume this run: its folder, its id, or the start of its id."),
    ] = None,
) -> None:
    """Fine-tune a model and write the adapter with its record.

    Checks the data, predicts the memory, trains and evaluates. The method is QLoRA on a GPU and LoRA on a
    CPU, unless you set method.name. To look first, use `advisor plan` and `advisor preview`.

    Examples:
      advisor train --demo
      advisor train --data mine.jsonl --model HuggingFaceTB/SmolLM2-135M-Instruct
      advisor train --data mine.jsonl --model MODEL --metric judge.py:score
      advisor train --from-run RUN --sweep learning_rate=1e-4,2e-4 --sweep method.r=8,16
      advisor train --resume RUN
      advisor train --spec run.toml --gpus 8 --nodes 2 --submit slurm -o JOB
    """
    from finetune import record, run, train_extra

    options = RunOptions(
        data, model, eval_data, stack, preset, spec, fields, demo, metric, from_run, report_to
    )
    devices = {"devices.processes": gpus, "devices.nodes": nodes}
    device_fields = [f"{field}={count}" for field, count in devices.items() if count is not None]
    options = replace(options, fields=[*(options.fields or []), *device_fields])
    if submit is not None:
        from finetune.plan.submit import ClusterSettings

        settings = ClusterSettings(accelerator, volume, image, advisor.__version__)
        with show_progress() as callbacks:
            job_spec = compose_run(options, callbacks).composed_spec
        print(_write_jobs(submit, job_spec, sweep or [], output, settings))
        return
    lineage: dict[str, Any] = {"note": note, "tags": tuple(tag or ())}
    with show_progress() as callbacks:
        if resume is not None:
            train_extra.import_transformers_without_torch()
            report = format_summary(run.resume_run(record.find_run(resume), callbacks))
        else:
            request = compose_run(options, callbacks, None if sweep else output)
            parent = record.find_run(from_run).name if from_run is not None else ""
            if sweep:
                report = run_sweep(request, sweep, output, parent, lineage, callbacks)
            else:
                folder = run.start_run(
                    request.composed_spec,
                    recommendation=request.recommendation,
                    callbacks=callbacks,
                    parent=parent,
                    **lineage,
                )
                report = format_summary(folder)
    print(report)


def _write_jobs(
    scheduler: str,
    composed_spec: ComposedSpec,
    sweep: list[str],
    output: Path | None,
    settings: ClusterSettings,
) -> str:
    """Write one job, or one for each run of a sweep in a folder of its own; see `_write_job`."""
    from finetune.spec import override_fields
    from finetune.study.sweep import parse_sweep

    if not sweep:
        return _write_job(scheduler, composed_spec.spec, output, settings)
    jobs = []
    for number, values in enumerate(parse_sweep(sweep, composed_spec.spec), 1):
        spec = override_fields(composed_spec, "--sweep", values).spec
        jobs.append(_write_job(scheduler, spec, output and output / f"run-{number}", settings))
    return "\n".join(jobs)


def _write_job(scheduler: str, spec: RunSpec, output: Path | None, settings: ClusterSettings) -> str:
    """Write the files of a job; return their names and the command that submits it.

    Raises:
        InputError: the folder is missing, or the scheduler needs more settings.
    """
    from advisor.errors import InputError
    from finetune.errors import explain_os_errors
    from finetune.plan import submit

    if output is None:
        raise InputError("missing option -o: --submit needs a folder for the files of the job")
    folder = expand_home(output).resolve()
    files = submit.render_job(scheduler, spec, folder, settings)
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if (folder / name).exists() and (folder / name).read_text("utf-8", "replace") != text:
                raise InputError(
                    f"{folder / name} has other contents than the job; move it away, or choose another -o"
                )
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    paths = ", ".join(str(folder / name) for name in files)
    return f"written: {paths}\nsubmit:  {submit.submit_command(scheduler, folder)}"
