"""advisor explain: show the numbers behind the score of a candidate."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from advisor.cli import app
from advisor.cli.options import AsOf, Candidate, Domain, Goal, RequestOptions, Rules, Store, Weights
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
    format: Annotated[ExplanationFormat, typer.Option(help="Format of the report.")] = Format.table,
) -> None:
    """Show every number behind the score of a candidate.

    Each number comes with its definition, value, interval, sample size, source and date.

    Examples:
      advisor explain axolotl
      advisor explain axolotl --as-of 2024-06-05 --format markdown
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.explain import explain as explain_candidate
    from advisor.answers.question import ANY_LIBRARIES, find_candidate
    from advisor.answers.recommend import recommend
    from advisor.report.explain import render

    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    request = options.build_request([name], selects=False)  # with all candidates: a rank needs the others
    question = read_any_request(request)
    is_any = request.domain == ANY_LIBRARIES
    repository = (question.candidates[0] if is_any else find_candidate(question.candidates, name)).repository
    explanation = explain_candidate(question, recommend(question), repository)
    sys.stdout.write(render(explanation, format))
