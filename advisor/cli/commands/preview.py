"""advisor preview: the exact tokens, what is trained of them, and what is wrong with the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, Demo, EvalData, File, Model, Preset, RunOptions, Set, Stack, compose
from advisor.cli.run_progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from finetune.data.preview import Piece
    from finetune.run import Plan
from advisor.cli.findings import findings


@app.command()
def preview(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: File = None,
    set_: Set = None,
    demo: Demo = False,
    rows: Annotated[int, typer.Option(min=0, help="Rows whose tokens are shown.")] = 3,
    row: Annotated[list[int] | None, typer.Option(help="Show this row (line or number); repeatable.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the same, and more rows.")] = None,
) -> None:
    """Show the tokens that will be trained on, and every finding with rows, reason and remedy.

    Ends with 2 where a finding is an error: the run would not start. Example: advisor preview
    --data mine.jsonl --model HuggingFaceTB/SmolLM2-135M-Instruct --html preview.html
    """
    options = RunOptions(data, model, eval_data, stack, preset, spec, set_, demo)
    from rich.console import Console

    from advisor.errors import EXIT_INPUT
    from finetune import run
    from finetune.data import preview as tokens

    with progress() as watch:
        plan = run.plan(compose(options, watch).composed, watch)
    console = Console()
    console.print(tokens.as_text(_chosen(plan, rows, row or [])))
    _lengths(console, plan)
    findings(console, plan.found)
    if html is not None:
        shown = _chosen(plan, max(rows, 20), row or [])
        limit = plan.spec.data.max_length
        title = f"{Path(plan.spec.data.train).name} for {Path(plan.spec.model.base).name}"
        html.write_text(tokens.as_html(title, shown, plan.found, plan.data, limit), "utf-8")
        console.print(f"written: {html}")
    if any(f.severity == "error" for f in plan.found):
        raise typer.Exit(EXIT_INPUT)


def _chosen(plan: Plan, count: int, wanted: list[int]) -> list[tuple[int, list[Piece]]]:
    from advisor.errors import InputError
    from finetune.data import preview as tokens

    places = [o.place for o in plan.data.outcomes if o.split == "train" and o.fate in ("kept", "cut")]
    unknown = set(wanted) - set(places)
    if unknown:
        raise InputError(f"--row {min(unknown)}: no such row is trained on")
    take = set(wanted or places[:count])
    shown: list[tuple[int, list[Piece]]] = []
    for place, row in zip(places, plan.data.encoded("train"), strict=True):
        if place in take:
            shown.append((place, list(tokens.pieces(row, plan.tokenizer))))
    return shown


def _lengths(console: Console, plan: Plan) -> None:
    from finetune.data import preview as tokens

    bins = tokens.histogram(tokens.lengths(plan.data), plan.spec.data.max_length)
    most = max((count for _, _, count in bins), default=1)
    console.print("\nlength in tokens (before cutting)", style="bold")
    for low, high, count in bins:
        console.print(f"{low:>6}–{high:<6} {count:>7} {'█' * round(30 * count / most)}")
    said = plan.data.summary
    share = said["trained_tokens"] / max(1, said["train_tokens"])
    console.print(
        f"{said['train_rows']} rows to train on, {said['test_rows']} held out; "
        f"{said['train_tokens']:,} tokens, {said['trained_tokens']:,} trained ({share:.0%})\n"
    )
