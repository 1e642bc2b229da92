"""advisor measure: every repository of a store, however many, on this machine or on Spark."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from advisor.measure.whole_store import Done


class Engine(StrEnum):
    """What runs the queries."""

    duckdb = "duckdb"
    spark = "spark"


@app.command()
def measure(
    store: Annotated[str, typer.Argument(help="A folder of facts; with spark also an address, e.g. s3://…")],
    as_of: Annotated[str | None, typer.Option(help="Measure as of that day (YYYY-MM-DD).")] = None,
    months: Annotated[int, typer.Option(min=0, help="Also as of so many ends of months before it.")] = 0,
    memory: Annotated[str, typer.Option(help="What duckdb may use before it spills to disk.")] = "2GB",
    threads: Annotated[int, typer.Option(min=1, help="How many cores duckdb may use.")] = 2,
    engine: Annotated[Engine, typer.Option(help="duckdb, or spark beyond one machine.")] = Engine.duckdb,
    master: Annotated[str, typer.Option(help="Where Spark runs, e.g. spark://host:7077.")] = "local[2]",
) -> None:
    """Measure all repositories of a store by every metric, into `measurements` beside the facts.

    An interrupted run goes on where it stopped; what did not change is not measured again.
    Example: advisor measure facts; advisor measure facts --months 60 --memory 4GB
    """
    from advisor.cli.options import parse_day
    from advisor.errors import EXIT_PARTIAL

    day = parse_day(as_of)
    if engine is Engine.spark:
        done = _on_spark(store, day, months, master)
    else:
        done = _on_duckdb(store, day, months, memory, threads)
    ranges = f", {done.reused} of {done.ranges} ranges were there" if done.reused else ""
    print(f"{store}: {done.repositories:,} repositories from {done.rows:,} rows of facts{ranges}")
    for damage in done.damages:
        print(f"advisor: {damage.repository} is not measured: {damage}", file=sys.stderr)
    if done.damages:
        raise typer.Exit(EXIT_PARTIAL)


def _days(first: date, last: date, months: int) -> Sequence[date]:
    from advisor.answers.history import ends_of_months

    return ends_of_months(first, last, months)


def _on_duckdb(store: str, day: date | None, months: int, memory: str, threads: int) -> Done:
    from pathlib import Path

    from advisor.facts import reading
    from advisor.measure.whole_store import Limits, measure_store

    opened = reading.open_store(Path(store))
    days = _days(opened.first_day, day or opened.as_of, months)
    return measure_store(opened, days, Limits(memory, threads), progress=_progress)


def _on_spark(store: str, day: date | None, months: int, master: str) -> Done:
    from advisor.measure.spark.address import open_address
    from advisor.measure.spark.measure import measure_on_spark

    opened = open_address(store)
    days = _days(opened.first_day, day or opened.as_of, months)
    return measure_on_spark(store, days, master, progress=_progress)


def _progress(done: int, every: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done / max(every, 1):4.0%}", end="" if done < every else "\r", file=sys.stderr)
