"""advisor probe: is fine-tuning worth it, on which base, and with how many rows?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, Demo, EvalData, Fields, Metrics, RunOptions, Stack, compose_run
from advisor.cli.run_output import show_progress
from advisor.files import data_home, expand_home

if TYPE_CHECKING:
    from finetune.study.probe import Probe, Result


@app.command()
def probe(
    data: Data = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="MODELS", help="Base models, with commas: folders in Hugging Face's layout, or hub ids."
        ),
    ] = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    fields: Fields = None,
    metric: Metrics = None,
    demo: Demo = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder of the probe. Default: a new one in your data folder.",
        ),
    ] = None,
) -> None:
    """Find out whether fine-tuning is worth it, before the real training.

    Each base answers the held-out questions without examples and with five of them in the prompt. Then
    short trainings (the preset quick) use 10, 30 and 100 % of the rows. The verdict compares the best prompt
    with the best adapter by the metric of your task. To resume after an interruption, run the same command
    with the same -o.

    Examples:
      advisor probe --data mine.jsonl --models Qwen/Qwen3-0.6B-Base,Qwen/Qwen3-0.6B
      advisor probe --data mine.jsonl --models MODEL --metric judge.py:score -o PROBE
      advisor probe --demo --set training.steps=20
    """
    from advisor.errors import InputError
    from finetune import demo as demonstration
    from finetune import record
    from finetune.study.probe import run_probe

    if models is None and not demo:
        raise InputError("missing option --models: add it, or try `advisor probe --demo`")
    names: list[str | None] = [name.strip() for name in (models or "").split(",") if name.strip()]
    folder = output or data_home() / "probes" / record.utc_now().replace(":", "")
    if demo:
        fields = [*demonstration.PROBE_FIELDS, *(fields or [])]
    options = RunOptions(data, None, eval_data, stack, "quick", None, fields, demo, metric)
    with show_progress() as callbacks:
        specs = [
            compose_run(replace(options, model=name), callbacks).composed_spec
            for name in dict.fromkeys(names or [None])
        ]
        result = run_probe(specs, expand_home(folder).resolve(), callbacks)
    print("\n".join(_format_probe(result)))
    print(f"\nall figures: {folder / 'probe.json'}")


def _format_probe(probe: Probe) -> list[str]:
    from advisor.report.tables import text_table
    from finetune.study.probe import LOSS

    is_loss = probe.measure == LOSS
    has_models = len({one.model for one in probe.results}) > 1
    table: dict[str, list[str]] = {
        "contestant": [_name(one, has_models=has_models) for one in probe.results],
        probe.measure: [f"{one.value:.3f}" for one in probe.results],
        "95 % interval": [f"{one.low:.3f} to {one.high:.3f}" for one in probe.results],
        **({} if is_loss else {"loss": [f"{one.loss:.3f}" for one in probe.results]}),
        "seconds": [f"{one.seconds:.0f}" if one.rows else f"{one.seconds:.2f}" for one in probe.results],
        "peak GiB": [f"{one.peak_bytes / 2**30:.1f}" for one in probe.results],
    }
    better = "lower" if is_loss else "higher"
    models = "" if has_models else f"{probe.results[0].model}: "
    answer = probe.verdict.answer + (f" (about {probe.verdict.rows:,})" if probe.verdict.rows else "")
    return [
        f"{models}{probe.measure} on {probe.held_out_rows} held-out rows; {better} is better",
        *text_table(list(table), list(zip(*table.values(), strict=True))),
        f"seconds: of an answer to a prompt, or of a training of {probe.steps} steps",
        "",
        f"verdict: {answer}",
        f"  {probe.verdict.reason}",
        *(f"  caution: {caution}" for caution in probe.cautions),
        *_format_samples(probe),
    ]


def _name(one: Result, *, has_models: bool) -> str:
    return f"{one.model}, {one.name}" if has_models else one.name


def _format_samples(probe: Probe) -> list[str]:
    """Return the first held-out question with the answers of all contestants."""
    has_models = len({one.model for one in probe.results}) > 1
    samples = [(_name(one, has_models=has_models), one.sample) for one in probe.results]
    lines = [("a held-out question", probe.question), ("answer in the row", probe.reference), *samples]
    return ["", *(f"{name}: {' '.join(text.split())}" for name, text in lines)]
