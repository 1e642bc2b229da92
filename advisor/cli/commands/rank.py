"""advisor rank: rank the candidates from the bundled facts or from your own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from advisor.cli import app, completion
from advisor.cli.collect_missing import collect_missing
from advisor.cli.gate_options import (
    Certain,
    FailUnder,
    FailUnknown,
    GateOptions,
    MinKnown,
    Platform,
    Python,
    Without,
)
from advisor.cli.messages import show_wait
from advisor.cli.options import (
    AsOf,
    Candidates,
    Collect,
    Domain,
    Goal,
    Includes,
    RequestOptions,
    Rules,
    Store,
    Weights,
    date_or_today,
    exit_with_status,
    parse_as_of,
    parse_weights,
    store_or_default,
)
from advisor.cli.output import Output, terminal_width, write_report
from advisor.report.formats import Format, RankingFormat

if TYPE_CHECKING:
    from advisor.answers.question import Question, Request
    from advisor.model import Recommendation


@app.command()
def rank(
    domain: Domain = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    rules: Rules = None,
    store: Store = None,
    repositories: Candidates = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Require support for this model, for example google/gemma-2-9b.",
            autocompletion=completion.families,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Require this method: full, lora, qlora, dpo, orpo, grpo or reward.",
            autocompletion=completion.required_methods,
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Require that it runs on this hardware: amd, apple, tpu or cpu.",
            autocompletion=completion.hardware,
        ),
    ] = None,
    gpu_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory of one GPU, for example 24GB. With --model and --method: require that the run fits.",
        ),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(metavar="N", help="Number of GPUs. More than 1: require support for it.")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Require a licence of this kind: permissive.",
            autocompletion=completion.licenses,
        ),
    ] = None,
    avoid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Exclude libraries with this kind of backer, for example listed-company. Repeatable.",
            autocompletion=completion.backer_kinds,
        ),
    ] = None,
    prefer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Prefer libraries with this kind of backer, for example community. Repeatable.",
            autocompletion=completion.backer_kinds,
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of the report.")] = Format.table,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Show all candidates, with their figures, warnings and sources, in the table too.",
        ),
    ] = False,
    output: Output = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rank as in this view, saved from the dashboard, and show what changed since.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Also show what changed since this date (YYYY-MM-DD)."),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Rank the packages that this file names: requirements, lock file or SBOM; also a folder, or "
            "- for standard input. Repeatable.",
        ),
    ] = None,
    include: Includes = None,
    fail_under: FailUnder = None,
    certain: Certain = False,
    min_share: MinKnown = None,
    fail_unknown: FailUnknown = False,
    without: Without = None,
    python: Python = None,
    platform: Platform = None,
    category: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help='Rank the libraries of a category of public lists, for example "Web Frameworks". '
            "`advisor domains` lists them.",
            autocompletion=completion.categories,
        ),
    ] = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Rank every repository that `advisor measure` measured in the store."),
    ] = False,
    collect: Collect = False,
) -> None:
    """Rank the candidates and recommend one.

    Gives reasons, doubts, and what would change the order. Reads only local facts, and no network
    without --collect.

    Examples:
      advisor rank
      advisor rank --full
      advisor rank --as-of 2024-06-05
      advisor rank --since 2026-01-31
      advisor rank --format html -o report.html
      advisor rank trl unsloth --goal independence
      advisor rank --set models=5 --format json
      advisor rank httpx requests aiohttp
      advisor rank httpx encode/httpcore --collect
      advisor rank --category "Web Frameworks"
      advisor rank --model google/gemma-2-9b --method qlora --gpu-memory 24GB
      advisor rank --method dpo --hardware amd
      advisor rank --license permissive --avoid listed-company
      advisor rank --replay view.json
      advisor rank --from requirements.txt --fail-under 40
      advisor rank --from requirements.txt --fail-under "5% abandoned"
      advisor rank --from . --without dev --min-known 60%
      advisor rank --all --store facts --domain dependencies
    """
    from dataclasses import replace

    from advisor.answers.any_question import read_any_request
    from advisor.answers.recommend import recommend
    from advisor.decide.requirements import Requirements, parse_memory
    from advisor.errors import InputError

    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    others = {"--all": all_, "--from": from_, "--category": category, "--replay": replay}
    _refuse("--collect", [name for name, value in others.items() if collect and value])
    _check_since(since, is_possible=not (all_ or from_ or replay) and format is Format.table)
    gate = GateOptions(
        fail_under, certain, min_share, fail_unknown, without, python, platform, license, avoid
    )
    if all_:
        other_options = (
            from_,
            gate.list_options(),
            replay,
            model,
            method,
            hardware,
            gpu_memory,
            gpus,
            license,
            avoid,
            prefer,
            include,
            category,
        )
        if any(other_options):
            raise InputError(
                "--all can be combined only with --domain, --goal, --as-of, --set, --rules, --store, --format"
            )
        options = replace(options, store=options.store or store_or_default(None))
        _rank_all(options, repositories, format, output, full=full)
        return
    if from_ or gate.list_options() or format is Format.sarif:
        refusals = {
            "--model": model, "--method": method, "--hardware": hardware, "--gpu-memory": gpu_memory,
            "--gpus": gpus, "--prefer": prefer, "--replay": replay, "--category": category, "--full": full,
            "--domain": options.without_settings().domain,
        }  # fmt: skip
        _check_from(from_, repositories, gate, [name for name, value in refusals.items() if value])
        _rank_files(from_ or [], options, format, gate, include or (), output)
        return
    if include:
        raise InputError("missing option --from: --include needs it")
    if replay is not None:  # the view decides what the settings would
        options = options.without_settings()
    request = replace(
        options.build_request(repositories, category=category),
        requirements=Requirements(
            model=model,
            method=method,
            gpu_memory_gib=parse_memory(gpu_memory) if gpu_memory is not None else None,
            gpus=gpus,
            license=license,
            avoid=tuple(avoid or ()),
            prefer=tuple(prefer or ()),
            hardware=hardware,
        ),
    )
    is_complete = not collect or collect_missing(request, options.store)
    view = None
    if replay is not None:
        from advisor.cli.saved_view import build_request, find_differences, read_view

        view = read_view(replay)
        request = build_request(view, request)
    if format is Format.html:
        from advisor.answers.history import MONTHS
        from advisor.cli.dashboard_page import render_page

        answer, text = render_page(request, MONTHS)
    else:
        with show_wait("ranking"):
            question = read_any_request(request)
            answer = recommend(question)
        text = _render(answer, format, output, question, full=full)
        text += _render_changes(request, since, answer)
    write_report(text, output)
    if view is not None:
        for difference in find_differences(view, answer):
            print(f"advisor: {replay}: {difference}", file=sys.stderr)
    exit_with_status(answer, is_complete=is_complete)


def _check_since(since: str | None, *, is_possible: bool) -> None:
    from advisor.errors import InputError

    if since is not None and not is_possible:
        raise InputError("--since cannot be combined with --all, --from, --replay or --format")


def _render_changes(request: Request, since: str | None, answer: Recommendation) -> str:
    from dataclasses import replace

    from advisor.answers.any_question import read_any_request
    from advisor.answers.recommend import recommend
    from advisor.errors import InputError
    from advisor.report import changes

    if since is None:
        return ""
    day = parse_as_of(since)
    if day is None or day >= answer.as_of:
        raise InputError(f"invalid date {since} for --since: expected a day before {answer.as_of}")
    with show_wait("ranking"):
        before = recommend(read_any_request(replace(request, as_of=day)))
    return f"\n{changes.render(before, answer)}"


def _rank_all(
    options: RequestOptions,
    repositories: list[str] | None,
    format: Format,
    output: Path | None,
    *,
    full: bool,
) -> None:
    """Rank a whole store; without a domain by the first one that has all its repositories, or by any's."""
    from dataclasses import replace

    from advisor.answers.question import read_request
    from advisor.answers.shortlist import recommend_all
    from advisor.errors import InputError
    from advisor.facts.reading import open_store

    if format is Format.html or format is Format.sarif:
        raise InputError(f"--all has no format {format}: use one of {', '.join(get_args(RankingFormat))}")
    request = options.build_request(repositories)
    if options.domain is None and request.store is not None and not repositories:
        names = open_store(request.store).repositories()
        request = replace(request, domain=options.build_request(names, selects=False).domain)
    question = read_request(request, whole_store=True)
    with show_wait("ranking"):
        answer = recommend_all(question)
    write_report(_render(answer, format, output, question, full=full), output)
    exit_with_status(answer)


def _check_from(
    files: list[Path] | None, repositories: list[str] | None, gate: GateOptions, refusals: list[str]
) -> None:
    """Refuse what means nothing with --from, and options for --from without it."""
    from advisor.errors import InputError

    if not files:
        names = " and ".join(gate.list_options() or ["--format sarif"])
        raise InputError(f"missing option --from: {names} {'need' if ' and ' in names else 'needs'} it")
    if repositories:
        raise InputError("name either repositories or files (--from), not both")
    _refuse("--from", refusals)


def _refuse(option: str, others: Sequence[str]) -> None:
    """Refuse other options that mean nothing with this one."""
    from advisor.errors import InputError

    if others:
        verb = "mean" if len(others) > 1 else "means"
        raise InputError(f"{' and '.join(others)} {verb} nothing with {option}: leave it out")


def _rank_files(
    files: list[Path],
    options: RequestOptions,
    format: Format,
    gate: GateOptions,
    include_folders: Sequence[Path],
    output: Path | None,
) -> None:
    from advisor.answers.question import Request
    from advisor.cli.rank_from import rank_files

    weights = parse_weights(options.weights) if options.weights else None
    request = Request(
        "dependencies", (), options.goal, parse_as_of(options.as_of), weights, options.rules,
        requirements=gate.build_requirements(),
    )  # fmt: skip
    rank_files(files, request, options.store, format, gate, include_folders, output)


def _render(
    answer: Recommendation, format: RankingFormat, output: Path | None, question: Question, *, full: bool
) -> str:
    from advisor.report.ranking import render

    width, today = terminal_width(output), date_or_today(None)
    return render(answer, format, width, today, full=full, views=question.views)
