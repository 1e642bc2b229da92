"""advisor rank: the ranked report, offline, from the bundled snapshot or a store of one's own."""

from __future__ import annotations

import shutil
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


class Format(StrEnum):
    """How the report is written."""

    table = "table"
    json = "json"
    markdown = "markdown"
    csv = "csv"


@app.command()
def rank(
    repositories: Annotated[
        list[str] | None, typer.Argument(help="Compare only these (owner/name or name).")
    ] = None,
    domain: Annotated[str, typer.Option(help="A bundled domain or a TOML file.")] = "finetuning",
    goal: Annotated[str | None, typer.Option(help="What you care for; see the domain file.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Answer as one could have on that day (YYYY-MM-DD).")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Weight of a criterion, e.g. models=5; may be repeated."),
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="A rules file of your own.")] = None,
    store: Annotated[Path | None, typer.Option(help="A folder of collected facts.")] = None,
    format: Annotated[Format, typer.Option(help="How to write the report.")] = Format.table,  # noqa: A002
) -> None:
    """Rank the candidates and recommend one, with reasons and doubts.

    Examples: advisor rank; advisor rank --as-of 2024-06-05; advisor rank trl unsloth
    --goal independence; advisor rank --set models=5 --format json
    """
    from importlib import import_module

    from advisor import recommend
    from advisor.errors import EXIT_NOTHING_SUITABLE, EXIT_PARTIAL

    answer = recommend(
        domain,
        repositories=repositories or [],
        goal=goal,
        as_of=parse_day(as_of),
        weights=parse_weights(set_ or []),
        rules=rules,
        store=store,
    )
    if format is Format.table and sys.stdout.isatty():
        from advisor.report.terminal import render

        sys.stdout.write(render(answer, shutil.get_terminal_size().columns))
    else:
        name = "text" if format is Format.table else format.value
        sys.stdout.write(import_module(f"advisor.report.{name}").render(answer))
    if answer.choice is None:
        raise typer.Exit(EXIT_NOTHING_SUITABLE)
    if answer.missing:
        for repository, why in answer.missing.items():
            print(f"advisor: {repository} is not ranked: {why}", file=sys.stderr)
        raise typer.Exit(EXIT_PARTIAL)


def parse_day(text: str | None) -> date | None:
    """A date from ``YYYY-MM-DD``; None stays None.

    Raises:
        InputError: it is not a date.
    """
    from advisor.errors import InputError

    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise InputError(f"{text!r} is not a day; write it as YYYY-MM-DD") from None


def parse_weights(texts: list[str]) -> dict[str, float]:
    """Weights from ``criterion=number``.

    Raises:
        InputError: one is not of that form.
    """
    from advisor.errors import InputError

    weights = {}
    for text in texts:
        name, sign, number = text.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise InputError(f"--set {text!r}: write it as criterion=number, e.g. models=5")
    return weights
