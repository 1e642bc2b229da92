"""advisor rank --all: everybody whom `advisor measure` measured, and the first of them weighed with care.

A score hangs on nobody else, so all are scored column by column where the measurements lie. What compares
or explains (draws, reasons, flips) is worked out for a shortlist alone: those of the highest scores that no
rule excludes, scored again one by one as ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.answers.question import Question, Request, read_request
from advisor.answers.recommend import ordered_answer, score_candidate
from advisor.domain import domain
from advisor.domain.organisations import load_organisations
from advisor.errors import FactsError, InputError
from advisor.facts.store import listed, text
from advisor.measure.cache import FOLDER, measured_files, read_files
from advisor.model import Ranked, Recommendation

SHORTLIST = 10
BLOCK = 2 * SHORTLIST  # so many are read at once, since rules may exclude some

# The ends of a scale stand here with their logarithms taken where it is one of logarithms.
_SCORES = """
WITH scales (metric, criterion, is_log, weight, worst, best, of_all) AS (VALUES {scales}),
utilities AS (
    SELECT m.repository, s.criterion, s.of_all, s.weight,
           CASE WHEN s.is_log THEN ln(1 + greatest(0, m.value)) ELSE m.value END AS curved,
           least(1, greatest(0, (curved - s.worst) / (s.best - s.worst))) AS utility
    FROM read_parquet([{files}]) AS m JOIN scales AS s ON m.metric = s.metric
    WHERE m.as_of = DATE {day} AND m.value IS NOT NULL
),
criteria AS (
    SELECT repository, of_all, sum(weight * utility) / sum(weight) AS utility FROM utilities
    GROUP BY repository, criterion, of_all
)
SELECT repository, 100 * sum(of_all * utility) / sum(of_all) AS score FROM criteria WHERE of_all > 0
GROUP BY repository ORDER BY score DESC, lower(repository)
"""


def recommend_all(request: Request) -> Recommendation:
    """Rank all measured repositories of a store; the ranking holds the shortlist and whom rules keep off it.

    Raises:
        InputError: something in the request is unknown or out of range, or nothing was measured.
        FactsError: the store or its measurements are damaged.
    """
    if request.repositories:
        raise InputError("name repositories or rank --all, not both")
    asked = read_request(request, everybody=True)
    files = measured_files(asked.store, asked.as_of)
    if not files:
        raise InputError(
            f"nobody was measured as of {asked.as_of} from the facts in {asked.store.path}; "
            f"run `advisor measure {asked.store.path}` first"
        )
    scored = scores(asked, files)
    ranked: list[Ranked] = []
    for measured in _candidates(asked, files, [name for name, _ in scored]):
        ranked.append(measured)
        if sum(not r.excluded for r in ranked) == SHORTLIST:
            break
    answer = ordered_answer(asked, ranked, _missing(asked))
    said = f"is on the shortlist: the {SHORTLIST} highest scores of {len(scored):,} that no rule excludes"
    return replace(answer, reasons=(said, *answer.reasons)) if answer.choice else answer


def scores(asked: Question, files: Sequence[Path]) -> list[tuple[str, float]]:
    """(repository, score from 0 to 100) of everybody measured, the highest first; rules are not asked.

    Args:
        asked: scales, weights and day.
        files: of `kept.measured_files`.

    Raises:
        FactsError: the measurements cannot be read.
    """
    import duckdb

    with duckdb.connect(config={"threads": 2}) as db:
        try:
            # Written out: for a parameter duckdb imports pandas, which takes longer than all the rest.
            return db.execute(
                _SCORES.format(
                    scales=_scales(asked),
                    files=listed(text(str(file)) for file in files),
                    day=text(asked.as_of.isoformat()),
                )
            ).fetchall()
        except duckdb.Error as error:
            raise FactsError(f"the measurements of {asked.store.path} cannot be read: {error}") from None


def _scales(asked: Question) -> str:
    rows = []
    for criterion in asked.domain.criteria:
        for scale in criterion.scales:
            is_log = scale.curve == "log"
            ends = [math.log1p(end) if is_log else end for end in (scale.worst, scale.best)]
            numbers = listed(repr(float(n)) for n in (scale.weight, *ends, asked.weights[criterion.name]))
            rows.append(f"({text(scale.metric)}, {text(criterion.name)}, {is_log}, {numbers})")
    return listed(rows)


def _candidates(asked: Question, files: Sequence[Path], names: Sequence[str]) -> Iterator[Ranked]:
    """Everybody who has a score, scored with all findings, in this order."""
    organisations = load_organisations()
    known = {c.repository: c for c in domain.candidates(asked.domain, organisations)}
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    for start in range(0, len(names), BLOCK):
        some = names[start : start + BLOCK]
        measured = read_files(files, some, asked.as_of)
        for name in some:
            candidate = known.get(name) or domain.candidate_of(name, owners)
            yield score_candidate(candidate, measured[name], asked)


def _missing(asked: Question) -> dict[str, str]:
    index = json.loads((asked.store.path / FOLDER / "index.json").read_text())
    return dict(index["missing"])
