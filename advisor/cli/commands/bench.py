"""advisor bench: the same training job on every stack, measured on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.run_options import Data, Fields, Model, RunOptions, SpecFile, compose_run
from advisor.cli.run_output import show_progress
from advisor.files import data_home
from advisor.report.formats import BenchFormat, Format

if TYPE_CHECKING:
    from finetune.bench.figures import RunFigures
    from finetune.bench.run import Bench

_STACKS = "trl,torchtune,litgpt,axolotl"
Stacks = Annotated[
    str,
    typer.Option(metavar="NAMES", help="Stacks, with commas. The others are compared with the first one."),
]
Parity = Annotated[
    str | None,
    typer.Option(
        metavar="STACK==V,V",
        help="Compare released versions of one stack, for example trl==1.15.0,1.16.0, and name the first one "
        "whose loss, tokens or logits differ.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Runs of each stack, each with its own seed. Default: 3, and 1 with --parity.",
    ),
]
Rounds = Annotated[
    str,
    typer.Option(metavar="A|B|AB", help="A: equal settings. B: each stack at its documented best. AB: both."),
]
Price = Annotated[
    float | None,
    typer.Option(metavar="PRICE", help="Price of an hour of this machine, to show the cost of tokens."),
]
OutputFolder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Folder of the runs and of bench.json. Default: a new one in your data folder.",
    ),
]
Result = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Also write the result as JSON without the paths of this machine, to publish it."
    ),
]
ResultFile = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Show the result in this JSON file, and run nothing."),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of facts to add the figures to. Default: $XDG_DATA_HOME/advisor/facts.",
    ),
]


@dataclass(frozen=True)
class _Comparison:
    """What a bench compares: the values of the options of the same names."""

    stacks: str
    parity: str | None
    seeds: int | None
    rounds: str
    quick: bool


@app.command()
def bench(
    data: Data = None,
    model: Model = None,
    spec: SpecFile = None,
    fields: Fields = None,
    stacks: Stacks = _STACKS,
    parity: Parity = None,
    seeds: Seeds = None,
    rounds: Rounds = "A",
    quick: Annotated[bool, typer.Option("--quick", help="Run 10 short steps of 4 rows each.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Train on the CPU, even if there is a GPU.")] = False,
    claims: Annotated[
        bool, typer.Option("--claims", help="Show what READMEs claim, beside what was measured.")
    ] = False,
    price: Price = None,
    output: OutputFolder = None,
    result: Result = None,
    from_: ResultFile = None,
    format: Annotated[BenchFormat, typer.Option(help="Format of the figures.")] = Format.table,
    store: Store = None,
) -> None:
    """Measure speed and memory of the stacks on this machine.

    All stacks get the same tokens in the same order; without --model and --data they train the model and
    the data of the demo. A number counts only if the stack did the same work as the first one. Numbers
    that count go into your facts, where the goals `fast` and `gpu-poor` use them. To resume after an
    interruption, run the same command with the same -o.

    With --parity the exit code is 0 if every version was measured, 3 if one was not, and 4 if fewer than
    two were.

    Examples:
      advisor bench --cpu --quick
      advisor bench --data mine.jsonl --model MODEL --rounds AB -o RUNS
      advisor bench --cpu --quick --parity trl==1.15.0,1.16.0 -o RUNS
      advisor bench --from RUNS/bench.json --format markdown
      advisor bench --claims
    """
    from advisor.cli.bench_claims import format_claims
    from advisor.cli.bench_results import (
        list_benchmarks,
        read_result,
        read_stored_benchmarks,
        store_benchmarks,
        write_result,
    )
    from advisor.cli.bench_tables import format_markdown, format_text, is_parity

    if from_ is not None:
        bench = read_result(from_)
    elif claims and output is None:
        _show(format_claims(read_stored_benchmarks(store)))
        return
    else:
        folder = output or _new_folder()
        all_fields = [*(fields or []), *(["devices.kind=cpu"] if cpu else [])]
        is_demo = data is None and model is None and spec is None
        options = RunOptions(data, model, stack="trl", spec=spec, fields=all_fields, demo=is_demo)
        comparison = _Comparison(stacks, parity, seeds, rounds, quick)
        bench = _run(options, comparison, folder)
        write_result(bench, folder / "bench.json", result)
    style = format_markdown if format is Format.markdown else format_text
    _show(style(bench, price))
    if claims:
        _show(["", *format_claims(list_benchmarks(bench))])
    if from_ is None:
        facts = "" if is_parity(bench) else f"\n{store_benchmarks(bench, store)}"
        print(f"\nall figures: {folder / 'bench.json'}{facts}")
        _exit_with_state(bench)


def _run(options: RunOptions, comparison: _Comparison, folder: Path) -> Bench:
    from finetune.bench import parity
    from finetune.bench import run as benches

    rounds = _parse_rounds(comparison.rounds)
    stack, versions = (
        parity.parse_versions(comparison.parity) if comparison.parity is not None else (None, ())
    )
    if stack is not None:
        _refuse_other_comparison(comparison)
        options = replace(options, stack=stack)
    seeds = range(42, 42 + (comparison.seeds or (1 if stack else 3)))
    with show_progress() as callbacks:
        composed_spec = compose_run(options, callbacks).composed_spec
        job = benches.merge_settings(composed_spec, benches.QUICK if comparison.quick else benches.THOROUGH)

        def on_run(run: RunFigures) -> None:
            name = f"{run.stack} {run.version}" if stack else f"{run.stack}, round {run.round}"
            callbacks.on_stage(f"{name}, seed {run.seed}: {run.reason or 'measured'}")

        if stack is not None:
            return parity.run_parity(job, stack, versions, seeds, folder, callbacks=callbacks, on_run=on_run)
        names = [name.strip() for name in comparison.stacks.split(",")]
        return benches.run_bench(job, names, seeds, folder, rounds=rounds, callbacks=callbacks, on_run=on_run)


def _refuse_other_comparison(comparison: _Comparison) -> None:
    from advisor.errors import InputError

    if comparison.stacks != _STACKS or comparison.rounds != "A":
        raise InputError("--parity compares versions of one stack: remove --stacks and --rounds")


def _exit_with_state(bench: Bench) -> None:
    """End with the exit code of a comparison of versions that is not whole."""
    from advisor.cli.bench_tables import is_parity
    from advisor.errors import EXIT_NOTHING_SUITABLE, EXIT_PARTIAL

    if not is_parity(bench):
        return
    if len({run.version for run in bench.runs if not run.reason}) < 2:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
    if any(run.reason for run in bench.runs):
        raise typer.Exit(EXIT_PARTIAL)


def _show(lines: Iterable[str]) -> None:
    from advisor.cli.output import write_report
    from advisor.texts import replace_controls

    write_report(replace_controls("\n".join(lines)) + "\n", None, has_sentences=True)


def _new_folder() -> Path:
    from finetune import record

    return data_home() / "bench" / record.utc_now().replace(":", "")


def _parse_rounds(text: str) -> list[str]:
    from advisor.errors import InputError

    rounds = list(dict.fromkeys(text.upper()))
    if not rounds or set(rounds) - {"A", "B"}:
        raise InputError(f"invalid --rounds {text!r}: expected A, B or AB")
    return rounds
