"""advisor backtest: how often the outlook turned out right, on any panel of monthly rows."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app


class Horizon(StrEnum):
    """How far ahead the outlook looks."""

    year = "12m"
    two_years = "24m"


class Format(StrEnum):
    """How the figures are written."""

    table = "table"
    json = "json"


@app.command()
def backtest(
    panel: Annotated[Path, typer.Option(help="Monthly rows in Parquet, columns as best-of lists keep them.")],
    at: Annotated[
        list[str] | None,
        typer.Option(help="Ask on this day (YYYY-MM-DD); may be repeated. Default: every quarter."),
    ] = None,
    horizon: Annotated[Horizon, typer.Option(help="How far ahead.")] = Horizon.year,
    active_days: Annotated[
        int, typer.Option(min=1, max=180, help="Whose last commit was at most this old on that day.")
    ] = 90,
    format: Annotated[Format, typer.Option(help="How to write the figures.")] = Format.table,
    predict: Annotated[
        Path | None,
        typer.Option(help="Write repository, as_of, probability_inactive of everybody active to this CSV."),
    ] = None,
) -> None:
    """Ask the outlook on past days, and compare with what became of the libraries.

    It never trains on what it is given. A library that the outlook was trained on is scored by trees
    that did not see it.

    Examples: advisor backtest --panel panel.parquet; advisor backtest --panel panel.parquet
    --at 2023-07-01 --at 2024-01-01 --horizon 24m --format json
    """
    from advisor.answers.backtest import run
    from advisor.cli.options import parse_day
    from advisor.domain.files import data_folder
    from advisor.errors import InputError
    from advisor.files import write_atomically
    from advisor.outlook import model
    from advisor.outlook.panel import read_panel
    from advisor.report import backtest as report

    days = sorted({day for day in map(parse_day, at or []) if day is not None})
    months = int(horizon.value.removesuffix("m"))
    trees = model.load(data_folder() / "reference" / "outlook.json")
    series = read_panel(panel)
    _say(f"{series.repository.nunique()} repositories")
    days = days or run.default_days(series, months)
    members, values = run.forecast(series, days, months, active_days, trees)
    if predict is not None:
        try:
            write_atomically(predict, report.predictions(members).encode())
        except OSError as error:
            raise InputError(f"--predict {predict}: {error.strerror}") from None
        _say(f"{predict}: {len(members)} forecasts")
    try:
        found = run.backtest(series, members, values, trees, months, active_days, _say)
    except InputError:
        if predict is None:
            raise
        # Forecasts of days whose outcome is still to come are an answer too.
        sys.stdout.write(f"{len(members)} forecasts; their outcome is not in the panel\n")
        return
    sys.stdout.write(report.as_json(found) if format is Format.json else report.as_table(found))


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[Kadvisor: {what}", end="\n" if ":" in what else "", file=sys.stderr, flush=True)
