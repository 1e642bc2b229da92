"""advisor explain: the numbers behind a ranking."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from advisor.cli import app
from advisor.cli.options import AsOf, Domain, Goal, RequestOptions, Rules, Set, Store

if TYPE_CHECKING:
    from advisor.answers.question import Request
    from advisor.report.explain import Evidence
from advisor.cli.options import EvidenceFormat, Form, Name


@app.command()
def explain(
    name: Name,
    domain: Domain = "finetuning",
    goal: Goal = None,
    as_of: AsOf = None,
    set_: Set = None,
    rules: Rules = None,
    store: Store = None,
    format: EvidenceFormat = Form.table,
) -> None:
    """Print each number of a candidate: definition, value, interval, n, evidence, source and date.

    Example: advisor explain axolotl --as-of 2024-06-05
    """
    options = RequestOptions(domain, goal, as_of, set_, rules, store)
    from advisor.answers.question import read_request
    from advisor.answers.recommend import recommend
    from advisor.errors import InputError
    from advisor.report.explain import RENDER, Explanation, rows_of

    alone = options.request([name])
    one = read_request(alone)
    repository = one.candidates[0].repository
    answer = recommend(options.request())  # among all, since a rank without the others is none
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
    from advisor.answers.coverage import Request as CoverageRequest
    from advisor.answers.coverage import coverage
    from advisor.domain.families import load_families
    from advisor.errors import FactsError
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
