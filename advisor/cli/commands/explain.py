"""advisor explain: show the numbers behind the score of a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app, completion
from advisor.cli.messages import show_wait
from advisor.cli.options import AsOf, Candidate, Domain, Goal, RequestOptions, Rules, Store, Weights
from advisor.cli.output import Output, write_report
from advisor.report.formats import ExplanationFormat, Format

if TYPE_CHECKING:
    from advisor.facts.facts_view import FactsView
    from advisor.report.explain import Evidence


@app.command()
def explain(
    name: Candidate,
    domain: Domain = None,
    goal: Goal = None,
    as_of: AsOf = None,
    weights: Weights = None,
    rules: Rules = None,
    store: Store = None,
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
    """
    from advisor.answers.any_question import read_any_request
    from advisor.answers.question import ANY_LIBRARIES, find_candidate
    from advisor.answers.recommend import recommend
    from advisor.errors import InputError, find_name
    from advisor.metrics import METRICS
    from advisor.report.explain import Explanation, fact_rows, render, select_metrics

    metrics = [find_name("metric", name, METRICS) for name in metric or ()]
    options = RequestOptions(domain, goal, as_of, weights, rules, store)
    request = options.build_request([name], selects=False)  # with all candidates: a rank needs the others
    question = read_any_request(request)
    is_any = request.domain == ANY_LIBRARIES
    repository = (question.candidates[0] if is_any else find_candidate(question.candidates, name)).repository
    with show_wait("measuring"):
        recommendation = recommend(question)
    match = next((r for r in recommendation.ranking if r.candidate.repository == repository), None)
    if match is None:
        reasons = {**recommendation.missing, **recommendation.rivals}
        raise InputError(f"{repository}: {reasons[repository]}")
    facts = next((view for view in question.views if repository in view.repositories), None)
    explanation = Explanation(
        as_of=question.as_of,
        goal=question.goal,
        weights=question.weights,
        ranked=match,
        tables=tuple(fact_rows(facts.store.manifest["files"], repository)) if facts else (),
        models=tuple(_read_models(facts.select([repository]))) if facts else (),
        benchmarks=tuple(b for b in recommendation.benchmarks if b.repository == repository),
    )
    if metrics:
        explanation = select_metrics(explanation, metrics)
    views = (facts,) if facts else ()
    write_report(render(explanation, format, views), output, has_sentences=format is Format.table)


def _read_models(facts: FactsView) -> list[Evidence]:
    """Return the supported families, each with its evidence; [] if the facts hold no coverage."""
    from advisor.answers.coverage import read_cells
    from advisor.domain.families import load_families
    from advisor.errors import FactsError
    from advisor.report.explain import Evidence

    try:
        cells = read_cells(facts)
    except FactsError:
        return []
    families = {f.name: f for f in load_families()}
    return [
        Evidence(
            c.family,
            c.route or "",
            c.supported_on,
            c.name or "",
            c.path or "",
            c.commit or "",
            c.released_on,
            families[c.family].source if c.family in families else "",
            families[c.family].read if c.family in families else "",
        )
        for c in cells
        if c.supported_on is not None and c.removed_on is None
    ]
