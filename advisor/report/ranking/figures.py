"""The tables of figures behind a ranking: one for each criterion, with a row for each candidate."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.model import Ranked, Recommendation
from advisor.report.values import (
    HEADLINES,
    criterion_title,
    metric_heading,
    show,
    show_collapse,
    show_criterion,
    show_outlook,
)

Table = tuple[str, list[str], list[list[str]]]


def criterion_tables(answer: Recommendation) -> Iterator[Table]:
    """Yield title, header and rows for each criterion: the score of each candidate, and headline metrics."""
    for place, criterion in enumerate(answer.ranking[0].criteria if answer.ranking else ()):
        names = [s.metric for s in criterion.metrics]
        metrics = HEADLINES.get(criterion.criterion, tuple(names[:2]))
        share = answer.weights.get(criterion.criterion, 0.0)
        rows = [
            [
                r.candidate.name,
                show_criterion(r, r.criteria[place]),
                *(show(r.measurement(m)) for m in metrics),
            ]
            for r in answer.ranking
        ]
        title = f"{criterion_title(criterion)}: {share:.0%} of the weight"
        yield title, ["candidate", "score of 100", *map(metric_heading, metrics)], rows


def other_tables(answer: Recommendation) -> Iterator[Table]:
    """Yield the tables of the outlook and of the backers."""
    first = answer.ranking[0] if answer.ranking else None
    if first is not None and first.outlook:
        columns = [
            (place, show_cell, f"{what} in {horizon.horizon_months} months")
            for place, horizon in enumerate(first.outlook)
            for what, show_cell in (("abandoned", show_outlook), ("collapsed", show_collapse))
            if what == "abandoned" or any(r.outlook[place].collapse is not None for r in answer.ranking)
        ]
        rows = [
            [r.candidate.name, *(show_cell(r.outlook[place]) for place, show_cell, _ in columns)]
            for r in answer.ranking
        ]
        yield "outlook: what is likely", ["candidate", *(title for _, _, title in columns)], rows
    yield "backing", ["candidate", "backer", "kind of backer"], [_backer(r) for r in answer.ranking]


def _backer(r: Ranked) -> list[str]:
    return [r.candidate.name, r.candidate.backer or "?", r.candidate.backer_kind or "?"]
