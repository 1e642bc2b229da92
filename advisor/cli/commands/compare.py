"""advisor compare: compare two candidates."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.collect_missing import collect_missing
from advisor.cli.messages import show_wait
from advisor.cli.options import (
    AsOf,
    Candidate,
    Collect,
    Domain,
    Goal,
    RequestOptions,
    Rules,
    Store,
    Weights,
)
from advisor.cli.output import Output, table_width, write_report
from advisor.report.formats import ComparisonFormat, Format


@app.command()
def compare(
    first: Candidate,
    second: Candidate,
    domain: Domain = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    rules: Rules = None,
    store: Store = None,
    collect: Collect = False,
    format: Annotated[ComparisonFormat, typer.Option(help="Format of the report.")] = Format.table,
    output: Output = None,
) -> None:
    """Compare two libraries, criterion by criterion.

    Also shows the smallest changes that reverse their order.

    Examples:
      advisor compare trl unsloth
      advisor compare trl unsloth --goal independence
      advisor compare flask fastapi
      advisor compare flask pallets/quart --collect
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.compare import compare as compare_candidates
    from advisor.errors import EXIT_PARTIAL
    from advisor.report.compare import render

    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    request = options.build_request([first, second])
    is_complete = not collect or collect_missing(request, store)
    with show_wait("comparing"):
        question = read_any_request(request)
        comparison = compare_candidates(question)
    text = render(comparison, format, table_width(output), question.views)
    write_report(text, output, has_sentences=format is Format.table)
    if not is_complete:
        raise typer.Exit(EXIT_PARTIAL)
