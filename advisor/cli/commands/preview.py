"""advisor preview: show the tokens of the data, which of them are trained, and what is wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from advisor.cli import app
from advisor.cli.output import Output, write_report
from advisor.cli.run_options import (
    Data,
    Demo,
    EvalData,
    Fields,
    Model,
    Preset,
    RunOptions,
    SpecFile,
    Stack,
    compose_run,
)
from advisor.cli.run_output import print_findings, show_progress

if TYPE_CHECKING:
    from rich.console import Console

    from finetune.data.preview import Piece
    from finetune.run import Plan

_ROWS_OF_A_PAGE, _FILE_WIDTH = 20, 100


@app.command()
def preview(
    data: Data = None,
    model: Model = None,
    eval_data: EvalData = None,
    stack: Stack = None,
    preset: Preset = None,
    spec: SpecFile = None,
    fields: Fields = None,
    demo: Demo = False,
    rows: Annotated[int, typer.Option(min=0, metavar="N", help="Number of rows to show as tokens.")] = 3,
    row: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Show the row of this number (in JSONL: its line). Repeatable."),
    ] = None,
    format: Annotated[
        Literal["text", "html", "json"],
        typer.Option(help="Format of the report; html and json have at least 20 rows."),
    ] = "text",
    output: Output = None,
) -> None:
    """Show the tokens of the data, and what is wrong with it.

    Marks the tokens that are trained: green, or in double brackets without colour. Each finding names the
    rows, the reason and the remedy. Exits with code 2 if a finding is an error, because `advisor train`
    refuses such data.

    Examples:
      advisor preview --data mine.jsonl --model MODEL
      advisor preview --data mine.jsonl --model MODEL --format html -o preview.html
    """
    from advisor.errors import EXIT_INPUT
    from finetune import run
    from finetune.data import preview as tokens

    options = RunOptions(data, model, eval_data, stack, preset, spec, fields, demo)
    with show_progress() as callbacks:
        plan = run.plan_run(compose_run(options, callbacks).composed_spec, callbacks)
    if format == "text":
        _print_text(plan, _split_rows(plan, rows, row or []), output)
    else:
        title = f"{Path(plan.spec.data.train).name} for {Path(plan.spec.model.base).name}"
        render = tokens.render_html if format == "html" else tokens.render_json
        pieces = _split_rows(plan, max(rows, _ROWS_OF_A_PAGE), row or [])
        write_report(render(title, pieces, plan.findings, plan.data, plan.spec.data.max_length), output)
    if any(finding.severity == "error" for finding in plan.findings):
        raise typer.Exit(EXIT_INPUT)


def _print_text(plan: Plan, rows: list[tuple[str, list[Piece]]], output: Path | None) -> None:
    """Print the preview, or write it into a file, which has no colours."""
    from rich.console import Console

    from finetune.data import preview as tokens

    text = None if output is None else io.StringIO()
    console = Console() if text is None else Console(file=text, width=_FILE_WIDTH, color_system=None)
    has_colour = console.color_system is not None and not console.no_color
    console.print(tokens.render_text(rows, with_marks=not has_colour))
    _print_lengths(console, plan)
    print_findings(console, plan.findings)
    if text is not None:
        write_report(text.getvalue(), output)


def _split_rows(plan: Plan, count: int, numbers: list[int]) -> list[tuple[str, list[Piece]]]:
    """Return title and tokens of the rows with these numbers; without any, of the first ``count`` rows.

    Raises:
        InputError: no row with such a number is trained on.
    """
    from advisor.errors import InputError
    from finetune.data import preview as tokens

    places = [o.place for o in plan.data.outcomes if o.split == "train" and o.fate in ("kept", "cut")]
    unknown_numbers = set(numbers) - set(places)
    if unknown_numbers:
        raise InputError(f"--row {min(unknown_numbers)}: the run does not train on a row with this number")
    selection = set(numbers or places[:count])
    rows: list[tuple[str, list[Piece]]] = []
    last = max(selection, default=0)
    for place, row in zip(places, plan.data.read_rows("train"), strict=False):
        if place > last:
            break
        if place in selection:
            rows += tokens.split_sides(place, row, plan.tokenizer)
    return rows


def _print_lengths(console: Console, plan: Plan) -> None:
    from finetune.data import preview as tokens

    bins = tokens.count_by_length(tokens.list_lengths(plan.data), plan.spec.data.max_length)
    most = max((count for _, _, count in bins), default=1)
    console.print("\nlength in tokens (before truncation)", style="bold")
    for low, high, count in bins:
        console.print(f"{low:>6}–{high:<6} {count:>7} {'█' * round(30 * count / most)}")
    summary = plan.data.summary
    share = summary["trained_tokens"] / max(1, summary["train_tokens"])
    console.print(
        f"{summary['train_rows']} rows to train on, {summary['test_rows']} held out; "
        f"{summary['train_tokens']:,} tokens, {summary['trained_tokens']:,} trained ({share:.0%})\n"
    )
