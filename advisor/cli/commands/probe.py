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
    from finetune.study.probe import Probe


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
    from finetune import record
    from finetune.study.probe import run_probe

    if models is None and not demo:
        raise InputError("missing option --models: add it, or try `advisor probe --demo`")
    names: list[str | None] = [name.strip() for name in (models or "").split(",") if name.strip()]
    folder = output or data_home() / "probes" / record.utc_now().replace(":", "")
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

    rows = [
        [
            one.model,
            one.name,
            f"{one.value:.3f}",
            f"{one.low:.3f} to {one.high:.3f}",
            f"{one.loss:.3f}",
            f"{one.seconds:.0f}" if one.rows else f"{one.seconds:.2f} each",
            f"{one.peak_bytes / 2**30:.1f}" if one.peak_bytes else "",
        ]
        for one in probe.results
    ]
    header = ["model", "", probe.measure, "95 %", "loss", "seconds", "GiB"]
    answer = probe.verdict.answer + (f" (about {probe.verdict.rows:,})" if probe.verdict.rows else "")
    lines = [f"{probe.held_out_rows} held-out rows", *text_table(header, rows), "", f"verdict: {answer}"]
    lines.append(f"  {probe.verdict.reason}")
    return lines + ([f"caution: {probe.caution}"] if probe.caution else [])
