"""advisor recipes: the ready-made recipe of each library that is nearest to a task."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app, completion
from advisor.cli.messages import show_wait
from advisor.cli.options import (
    AsOf,
    Candidates,
    Domain,
    Store,
    parse_as_of,
    resolve_store,
    store_or_default,
)
from advisor.cli.output import Output, write_report
from advisor.report.formats import Format, RecipesFormat


@app.command()
def recipes(
    repositories: Candidates = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model or family to train, for example llama-3 or google/gemma-2-9b.",
            autocompletion=completion.families,
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="Weights to train (full, lora, qlora, dora) or task (sft, dpo, orpo, kto, reward, ...). "
            "Give it twice for both.",
        ),
    ] = None,
    gpu_memory: Annotated[
        str | None,
        typer.Option(
            "--gpu-memory", "--gpu", metavar="MEMORY", help="Memory of your one GPU, for example 24GB."
        ),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=100, help="Recipes of each library.")] = 1,
    domain: Domain = None,
    as_of: AsOf = None,
    store: Store = None,
    format: Annotated[
        RecipesFormat, typer.Option(help="Format of the report. csv and json have all fields.")
    ] = Format.table,
    output: Output = None,
) -> None:
    """Find the ready-made recipe of each library for your task.

    A recipe is a configuration, a script, a notebook or a how-to page in the library's own tree. The report
    has its address, its age and what differs from your task. Reads the facts of `advisor collect-docs`.

    Examples:
      advisor recipes --model llama-3 --method qlora --gpu 24GB
      advisor recipes axolotl trl --model qwen3 --method lora --method dpo --most 3
    """
    from advisor.answers.any_question import choose_domain
    from advisor.answers.recipes import find_recipes, read_task
    from advisor.decide.requirements import parse_memory
    from advisor.domain.domain import load_domain
    from advisor.domain.files import data_folder
    from advisor.errors import EXIT_NOTHING_SUITABLE
    from advisor.report.recipes import render

    task = read_task(model, method or (), parse_memory(gpu_memory) if gpu_memory is not None else None)
    names = tuple(repositories or ())
    domain_name = choose_domain(domain, names)
    bundled_store = data_folder() / "snapshots" / load_domain(domain_name).snapshot
    stores = [resolve_store(store, domain_name) or bundled_store]
    if store is None:
        stores = [store_or_default(None), *stores]
    with show_wait("reading the recipes"):
        answer, view = find_recipes(task, stores, domain_name, names, parse_as_of(as_of), most)
    write_report(render(answer, format, [view]), output, has_sentences=format is Format.table)
    if not answer.nearest:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
