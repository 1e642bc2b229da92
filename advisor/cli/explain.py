"""advisor explain: the numbers behind a ranking."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import app
from advisor.cli.rank import RequestOptions
from advisor.cli.shared_options import takes

if TYPE_CHECKING:
    from advisor.advise import Request
    from advisor.report.explain import Evidence

Name = Annotated[str, typer.Argument(help="A candidate (owner/name or name).")]


class Form(StrEnum):
    """How the report is written."""

    table = "table"
    markdown = "markdown"
    json = "json"


Format = Annotated[Form, typer.Option(help="How to write the report.")]


@app.command()
@takes(RequestOptions)
def explain(
    asked: RequestOptions,
    name: Name,
    format: Format = Form.table,
) -> None:
    """Print each number of a candidate: definition, value, interval, n, evidence, source and date.

    Example: advisor explain axolotl --as-of 2024-06-05
    """
    from advisor.advise import read_request, recommend
    from advisor.errors import InputError
    from advisor.report.explain import RENDER, Explanation, rows_of

    alone = asked.request([name])
    one = read_request(alone)
    repository = one.candidates[0].repository
    answer = recommend(asked.request())  # among all, since a rank without the others is none
    found = next((r for r in answer.ranking if r.candidate.repository == repository), None)
    if found is None:
        raise InputError(f"{repository}: {answer.missing.get(repository, 'nothing is known of it')}")
    explanation = Explanation(
        as_of=answer.as_of,
        goal=answer.goal,
        weights=answer.weights,
        ranked=found,
        tables=tuple(rows_of(one.store.manifest["files"], repository)),
        models=tuple(_models(alone)),
        benchmarks=tuple(b for b in answer.benchmarks if b.repository == repository),
    )
    sys.stdout.write(RENDER[format.value](explanation))


def _models(request: Request) -> list[Evidence]:
    """The supported families with what shows them; [] where the facts hold no coverage."""
    from advisor.coverage import Request as CoverageRequest
    from advisor.coverage import coverage
    from advisor.errors import FactsError
    from advisor.families import load_families
    from advisor.report.explain import Evidence

    try:
        found = coverage(
            CoverageRequest(
                domain=request.domain,
                repositories=request.repositories,
                as_of=request.as_of,
                store=request.store,
            )
        )
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
        for c in found.cells
        if c.supported_on is not None and c.removed_on is None
    ]
