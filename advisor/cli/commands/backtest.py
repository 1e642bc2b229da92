"""advisor backtest: compare forecasts on past dates with what happened."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.messages import shows_progress
from advisor.cli.output import Output, check_output, write_report
from advisor.report.formats import ContestsFormat, Format


class Horizon(StrEnum):
    """How far ahead the outlook forecasts."""

    year = "12m"
    two_years = "24m"


class Outcome(StrEnum):
    """What the outlook forecasts."""

    abandonment = "abandoned"
    collapse = "collapsed"


@app.command()
def backtest(
    panel: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Parquet file of monthly rows; its columns are in docs/explanation/method.md.",
        ),
    ] = None,
    contests: Annotated[
        bool,
        typer.Option(
            "--contests",
            help="Judge the advice in public contests: the pick of a past day, and what won. No panel.",
        ),
    ] = False,
    contests_folder: Annotated[
        Path | None,
        typer.Option(
            "--contests-from",
            metavar="FOLDER",
            help="The same for contests of your own (see docs/explanation/contests.md).",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE",
            help="Forecast on this date (YYYY-MM-DD). Repeatable. Default: the first day of every quarter.",
        ),
    ] = None,
    horizon: Annotated[Horizon, typer.Option(help="How far ahead to forecast.")] = Horizon.year,
    outcome: Annotated[
        Outcome,
        typer.Option(
            help="What to forecast: no commit in the year before, or less than a fifth of the usual commits."
        ),
    ] = Outcome.abandonment,
    active_days: Annotated[
        int,
        typer.Option(
            min=1,
            max=365,
            metavar="DAYS",
            help="Forecast only repositories whose last commit is at most this old on the date.",
        ),
    ] = 365,
    only: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Ask only about these repositories: one owner/name a line. Default: all of the panel.",
        ),
    ] = None,
    outlook: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge this model of scripts/train_outlook.py. Default: the bundled one.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge how well these weights of scripts/fit_weights.py order libraries.",
        ),
    ] = None,
    format: Annotated[
        ContestsFormat, typer.Option(help="Format of the figures; markdown and csv need --contests.")
    ] = Format.table,
    output: Output = None,
    predict: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the forecasts as CSV: repository, as_of, probability_inactive.",
            callback=check_output,
        ),
    ] = None,
) -> None:
    """Compare past forecasts with what happened.

    Forecasts on past dates which repositories will be abandoned. Never trains on the panel: a repository
    that the outlook was trained on is scored by trees that were trained without it.

    Examples:
      advisor backtest --contests
      advisor backtest --panel panel.parquet
      advisor backtest --panel panel.parquet --at 2023-07-01 --horizon 24m
      advisor backtest --panel panel.parquet --outlook mine.json --only unseen.txt
      advisor backtest --panel panel.parquet --weights weights.json --only unseen.txt --at 2024-04-01
    """
    from advisor.answers.backtest import run
    from advisor.cli.options import parse_date
    from advisor.domain.files import data_folder
    from advisor.errors import InputError
    from advisor.files import write_atomically
    from advisor.outlook import model
    from advisor.outlook.panel import read_panel
    from advisor.report import backtest as report

    if contests or contests_folder is not None:
        _judge_contests(contests_folder, panel, format, output)
        return
    if panel is None:
        raise InputError("name a panel (--panel FILE), or judge the public contests (--contests)")
    if format is Format.markdown or format is Format.csv:
        raise InputError(f"--format {format} needs --contests; the formats of a panel: table, json")
    days = sorted({day for day in map(parse_date, at or []) if day is not None})
    months = int(horizon.value.removesuffix("m"))
    trees = model.load_model(outlook or data_folder() / "reference" / "outlook.json", outcome.value)
    series = run.select_repositories(read_panel(panel), only)
    _show_progress(f"{series.repository.nunique()} repositories")
    if weights is not None:
        from advisor.answers.backtest import ranking

        days = days or run.default_days(series, ranking.MONTHS)
        members, values = run.forecast(series, days, ranking.MONTHS, active_days, trees)
        record = ranking.judge_weights(ranking.read_weights(weights), series, members, values)
        write_report(report.render_record(record, format), output, has_sentences=format is Format.table)
        return
    days = days or run.default_days(series, months)
    members, values = run.forecast(series, days, months, active_days, trees)
    if predict is not None:
        write_atomically(predict, report.render_forecasts(members).encode())
        _show_progress(f"{predict}: {len(members)} forecasts")
    try:
        result = run.backtest(
            series, members, values, trees, months, active_days, outcome.value, _show_progress
        )
    except InputError:
        if predict is None:
            raise
        # The outcome of recent dates is not known yet: the forecasts alone are the answer.
        write_report(f"{len(members)} forecasts; the panel does not contain their outcomes\n", output)
        return
    write_report(report.render(result, format), output, has_sentences=format is Format.table)


def _judge_contests(
    folder: Path | None, panel: Path | None, output_format: ContestsFormat, output: Path | None
) -> None:
    from advisor.answers.backtest.contests import judge_contests
    from advisor.domain.contests import contests_folder
    from advisor.errors import InputError
    from advisor.report.contests import render

    if panel is not None:
        raise InputError("--contests needs no panel: leave out --panel")
    record = judge_contests(folder or contests_folder(), _show_progress)
    write_report(render(record, output_format), output, has_sentences=output_format is Format.table)


def _show_progress(text: str) -> None:
    if shows_progress():
        print(f"\r\033[Kadvisor: {text}", end="\n" if ":" in text else "", file=sys.stderr, flush=True)
