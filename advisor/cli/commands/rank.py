"""advisor rank: the ranked report, offline, from the bundled snapshot or a store of one's own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.options import AsOf, Domain, Goal, Rules, Set, Store

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.model import Recommendation
from advisor.cli.options import Format, Repositories, RequestOptions, exit_of, parse_day, parse_weights


@app.command()
def rank(
    domain: Domain = "finetuning",
    goal: Goal = None,
    as_of: AsOf = None,
    set_: Set = None,
    rules: Rules = None,
    store: Store = None,
    repositories: Repositories = None,
    model: Annotated[
        str | None, typer.Option(help="A model that it must support, e.g. google/gemma-2-9b.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="A method that it must do: full, lora or qlora.")] = None,
    gpu_memory: Annotated[str | None, typer.Option(help="Memory of one GPU, e.g. 24GB.")] = None,
    gpus: Annotated[int | None, typer.Option(help="How many GPUs.")] = None,
    license: Annotated[str | None, typer.Option(help="A licence that it must have: permissive.")] = None,
    avoid: Annotated[
        list[str] | None, typer.Option(help="A kind of backer to do without, e.g. big-tech; may be repeated.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="A kind of backer to choose if there is one, e.g. community.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to write the report.")] = Format.table,
    replay: Annotated[
        Path | None, typer.Option(help="Answer what a view saved from the dashboard options.")
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Rank what this file needs: requirements, lock, SBOM; may be repeated."),
    ] = None,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, help="With --from: exit 4 if a score is lower.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Rank everybody whom `advisor measure` measured in the store.")
    ] = False,
) -> None:
    """Rank the candidates and recommend one, with reasons and doubts.

    Examples: advisor rank; advisor rank --as-of 2024-06-05; advisor rank trl unsloth
    --goal independence; advisor rank --set models=5 --format json; advisor rank --replay view.json;
    advisor rank --model google/gemma-2-9b --method qlora --gpu-memory 24GB --license permissive
    --avoid big-tech; advisor rank --from requirements.txt --fail-under 40;
    advisor rank --all --store facts --domain dependencies
    """
    options = RequestOptions(domain, goal, as_of, set_, rules, store)
    from dataclasses import replace

    from advisor.answers.recommend import recommend
    from advisor.cli.options import store_or_default
    from advisor.decide.requirements import Requirements, parse_memory
    from advisor.errors import InputError

    if all_:
        others = (
            from_,
            fail_under is not None,
            replay,
            model,
            method,
            gpu_memory,
            gpus,
            license,
            avoid,
            prefer,
        )
        if any(others):
            raise InputError(
                "--all goes with --domain, --goal, --as-of, --set, --rules, --store, --format alone"
            )
        everybody = replace(options, store=options.store or store_or_default(None))
        _rank_all(everybody.request(repositories), format)
        return
    if from_ or fail_under is not None or format is Format.sarif:
        _rank_files(from_, repositories, options, format, fail_under)
        return
    request = replace(
        options.request(repositories),
        requirements=Requirements(
            model=model,
            method=method,
            gpu_memory_gib=parse_memory(gpu_memory) if gpu_memory is not None else None,
            gpus=gpus,
            license=license,
            avoid=tuple(avoid or ()),
            prefer=tuple(prefer or ()),
        ),
    )
    view = None
    if replay is not None:
        from advisor.cli.replay import differences, read_view, request_of

        view = read_view(replay)
        request = request_of(view, request)
    if format is Format.html:
        from advisor.answers.history import MONTHS
        from advisor.cli.page import page

        answer, text = page(request, MONTHS)
    else:
        answer = recommend(request)
        text = _report(answer, format)
    sys.stdout.write(text)
    if view is not None:
        for difference in differences(view, answer):
            print(f"advisor: {replay}: {difference}", file=sys.stderr)
    exit_of(answer)


def _rank_all(request: Request, format: Format) -> None:
    from advisor.answers.shortlist import recommend_all
    from advisor.errors import InputError

    if format in (Format.html, Format.sarif):
        raise InputError(f"--all is written as table, json, markdown or csv, not as {format}")
    answer = recommend_all(request)
    sys.stdout.write(_report(answer, format))
    exit_of(answer)


def _rank_files(
    files: list[Path] | None,
    repositories: list[str] | None,
    options: RequestOptions,
    format: Format,
    fail_under: float | None,
) -> None:
    from advisor.answers.question import Request
    from advisor.cli.rank_from import rank_files
    from advisor.errors import InputError

    if not files:
        raise InputError("--fail-under and --format sarif go with --from FILE")
    weights = parse_weights(options.set_) if options.set_ else None
    named = tuple(repositories or ())
    request = Request("dependencies", named, options.goal, parse_day(options.as_of), weights, options.rules)
    rank_files(files, request, options.store, format.value, fail_under)


def _report(answer: Recommendation, format: Format) -> str:
    from importlib import import_module

    if format is Format.table and sys.stdout.isatty():
        from advisor.report.terminal import render

        return render(answer, shutil.get_terminal_size().columns)
    name = "text" if format is Format.table else format.value
    return str(import_module(f"advisor.report.{name}").render(answer))
