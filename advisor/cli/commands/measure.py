"""advisor measure: measure every repository of a store, on this machine or on Spark."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.messages import shows_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from advisor.measure.whole_store import MeasuringSummary


class Engine(StrEnum):
    """What runs the queries."""

    duckdb = "duckdb"
    spark = "spark"


@app.command()
def measure(
    store: Annotated[
        str | None,
        typer.Argument(
            help="A folder of facts, or an address, for example s3://bucket/facts. "
            "Default: $XDG_DATA_HOME/advisor/facts.",
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Measure as of this date (YYYY-MM-DD). Default: the date of the facts."
        ),
    ] = None,
    months: Annotated[
        int, typer.Option(min=0, metavar="N", help="Measure also as of the ends of the N months before.")
    ] = 0,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory of duckdb; it uses the disk beyond that. "
            "Default: half of this machine's, at most 2GB.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Number of threads of duckdb.")] = 2,
    engine: Annotated[
        Engine, typer.Option(help="What runs the queries: duckdb on this machine, or spark on a cluster.")
    ] = Engine.duckdb,
    master: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Master of Spark, for example spark://host:7077. Default: of spark-submit, or local[2].",
        ),
    ] = None,
) -> None:
    """Measure all repositories of a store with every metric.

    Writes the measurements into the folder `measurements` of the store, for `advisor rank --all`. Skips
    what did not change; to resume after an interruption, run the same command again.

    Examples:
      advisor measure
      advisor measure facts
      advisor measure facts --months 60 --memory 4GB
    """
    from advisor.cli.options import parse_date, store_or_default
    from advisor.errors import EXIT_PARTIAL

    store = store or str(store_or_default(None))
    day = parse_date(as_of)
    if engine is Engine.spark:
        summary = _measure_on_spark(store, day, months, master)
    else:
        summary = _measure_on_duckdb(store, day, months, memory, threads)
    line = f"{store}: {summary.repositories:,} repositories measured from {summary.rows:,} rows"
    if summary.reused_ranges:
        line += f", {summary.reused_ranges} of {summary.ranges} ranges unchanged"
    print(line)
    for damage in summary.damages:
        print(f"advisor: cannot measure {damage.repository}: {damage}", file=sys.stderr)
    if summary.damages:
        raise typer.Exit(EXIT_PARTIAL)


def _list_days(first: date, last: date, months: int) -> Sequence[date]:
    from advisor.answers.history import ends_of_months

    return ends_of_months(first, last, months)


def _measure_on_duckdb(
    store: str, day: date | None, months: int, memory: str | None, threads: int
) -> MeasuringSummary:
    from contextlib import nullcontext

    from advisor.facts.database import default_memory
    from advisor.measure.address import is_address, local_copy, open_address
    from advisor.measure.whole_store import Limits, measure_store

    facts = open_address(store)
    days = _list_days(facts.first_day, day or facts.as_of, months)
    limits = Limits(memory or default_memory(), threads)
    with local_copy(facts, store) if is_address(store) else nullcontext(facts) as readable_facts:
        return measure_store(readable_facts, days, limits, progress=_show_progress)


def _measure_on_spark(store: str, day: date | None, months: int, master: str | None) -> MeasuringSummary:
    from advisor.measure.address import open_address
    from advisor.measure.spark.engine import measure_on_spark

    facts = open_address(store)
    days = _list_days(facts.first_day, day or facts.as_of, months)
    if shows_progress():
        print("starting Spark", end="", file=sys.stderr, flush=True)
    return measure_on_spark(store, days, master, progress=_show_progress)


def _show_progress(count: int, total: int) -> None:
    if shows_progress():
        print(f"\r{count / max(total, 1):4.0%}{' ' * 10}", end="" if count < total else "\r", file=sys.stderr)
