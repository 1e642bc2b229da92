"""advisor explain: show the numbers behind the score of a candidate."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import app, completion
from advisor.cli.collect_missing import collect_missing
from advisor.cli.messages import show_wait
from advisor.cli.options import AsOf, Candidate, Collect, Domain, Goal, RequestOptions, Rules, Store, Weights
from advisor.cli.output import Output, write_report
from advisor.report.formats import ExplanationFormat, Format


@app.command()
def explain(
    name: Candidate,
    domain: Domain = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    rules: Rules = None,
    store: Store = None,
    collect: Collect = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC",
            help="Show only this metric, for example stars. Repeatable. Default: all.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    format: Annotated[ExplanationFormat, typer.Option(help="Format of the report.")] = Format.table,
    output: Output = None,
) -> None:
    """Show every number behind the score of a candidate.

    Each number comes with its definition, value, interval, sample size, source and date.

    Examples:
      advisor explain axolotl
      advisor explain axolotl --metric contributors --metric stars
      advisor explain axolotl --as-of 2024-06-05 --format markdown
      advisor explain encode/httpcore --collect
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.explain import explain as explain_candidate
    from advisor.answers.question import ANY_LIBRARIES, find_candidate
    from advisor.answers.recommend import recommend
    from advisor.errors import EXIT_PARTIAL, find_name
    from advisor.metrics import METRICS
    from advisor.report.explain import render, select_metrics

    metrics = [find_name("metric", name, METRICS) for name in metric or ()]
    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    is_complete = not collect or collect_missing(options.build_request([name]), store)
    request = options.build_request([name], selects=False)  # with all candidates: a rank needs the others
    question = read_any_request(request)
    is_any = request.domain == ANY_LIBRARIES
    repository = (question.candidates[0] if is_any else find_candidate(question.candidates, name)).repository
    with show_wait("measuring"):
        recommendation = recommend(question)
    explanation = explain_candidate(question, recommendation, repository)
    if metrics:
        explanation = select_metrics(explanation, metrics)
    views = tuple(view for view in question.views if repository in view.repositories)[:1]
    write_report(render(explanation, format, views), output, has_sentences=format is Format.table)
    if not is_complete:
        raise typer.Exit(EXIT_PARTIAL)
