"""advisor rank --all: rank every measured repository, and weigh a shortlist of them with care.

A score depends on no other repository. SQL computes an upper bound of all scores where the measurements are:
a missing metric counts as the best. From the highest bound down, repositories are scored one by one like any
candidate, until no bound reaches the shortlist: the highest scores that no rule excludes (the threshold
algorithm; Fagin, Lotem & Naor 2003). What compares or explains (draws, reasons, flips) is for the shortlist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.answers.question import Question
from advisor.answers.recommend import build_recommendation, score_candidate
from advisor.decide.utilities import FLOOR
from advisor.domain import domain
from advisor.domain.organisations import load_organisations
from advisor.errors import FactsError, InputError
from advisor.facts.database import join_with_commas, open_database, parquet_sql, quote
from advisor.measure.cache import measurement_files, read_index, read_measurement_files
from advisor.model import Recommendation, ScoredCandidate

SHORTLIST = 10
BLOCK = 2 * SHORTLIST  # repositories to read at first; then twice as many each time
NAMES_PER_READ = 320  # of the measurement files: a read costs as much for one repository as for hundreds

# The ends of a logarithmic scale are logarithms here.
_BOUNDS = """
WITH scales (metric, is_log, worst, best, share) AS (VALUES {scales}),
places AS (
    SELECT m.repository, s.share, unnest([m.value, coalesce(m.low, m.value), coalesce(m.high, m.value)]) AS x,
           CASE WHEN s.is_log THEN ln(1 + greatest(0, x)) ELSE x END AS curved, m.metric,
           least(1, greatest(0, (curved - s.worst) / (s.best - s.worst))) AS utility, m.value
    FROM {files} AS m JOIN scales AS s ON m.metric = s.metric
    WHERE m.as_of = DATE {day} AND m.value IS NOT NULL
),
utilities AS (
    SELECT repository, any_value(share) AS share, avg(utility) AS expected FROM places
    GROUP BY repository, metric
)
SELECT repository, 100 * (sum(share * expected) + 1 - sum(share)) AS bound FROM utilities
GROUP BY repository HAVING sum(share) >= {floor} ORDER BY bound DESC, lower(repository)
"""
_TOLERANCE = 1e-6  # of a bound, which adds in another order than the score


def recommend_all(question: Question) -> Recommendation:
    """Rank all measured repositories of a store.

    The ranking holds the shortlist and the repositories that rules exclude from it.

    Args:
        question: of `read_request` with ``whole_store``.

    Raises:
        InputError: nothing was measured as of the day.
        FactsError: the measurements are damaged.
    """
    files = measurement_files(question.store, question.as_of)
    if not files:
        raise InputError(
            f"no measurements as of {question.as_of} of the facts in {question.store.path}; "
            f"run `advisor measure {question.store.path}` first"
        )
    bounds = read_bounds(question, files)
    candidates = _select_shortlist(question, files, bounds)
    recommendation = build_recommendation(question, candidates, _read_missing(question))
    note = f"measurements of {question.store.path} as of {question.as_of}"
    count = len(question.store.repositories())
    unknown = count - len(bounds) - len(recommendation.missing)
    if unknown > 0:
        note += f"; {unknown:,} of {count:,} have less than half of the weight measured, and no score"
    recommendation = replace(recommendation, snapshot=question.store.path.name, sources=(note,))
    if recommendation.choice is None or len(bounds) <= SHORTLIST:
        return recommendation
    reason = f"is on the shortlist: the {SHORTLIST} highest scores of {len(bounds):,} that no rule excludes"
    return replace(recommendation, reasons=(reason, *recommendation.reasons))


def _select_shortlist(
    question: Question, files: Sequence[Path], bounds: Sequence[tuple[str, float]]
) -> list[ScoredCandidate]:
    """Return the highest scores that no rule excludes, and the excluded candidates with a higher score."""
    candidates: list[ScoredCandidate] = []
    best: list[ScoredCandidate] = []
    start, size = 0, BLOCK
    while start < len(bounds):
        if len(best) == SHORTLIST and (best[-1].score or 0.0) > bounds[start][1] + _TOLERANCE:
            break
        candidates += _score_all(question, files, [name for name, _ in bounds[start : start + size]])
        best = sorted((c for c in candidates if c.is_rankable), key=_place)[:SHORTLIST]
        start, size = start + size, 2 * size
    last = _place(best[-1]) if len(best) == SHORTLIST else (math.inf, "")
    return [*best, *(c for c in candidates if c.excluded and _place(c) < last)]


def _place(candidate: ScoredCandidate) -> tuple[float, str]:
    return -(candidate.score or 0.0), candidate.repository.lower()


def read_bounds(question: Question, files: Sequence[Path]) -> list[tuple[str, float]]:
    """Return (repository, upper bound of its score) of every repository with enough data, the highest first.

    Rules do not count here.

    Args:
        question: scales, weights and day.
        files: from `cache.measurement_files`.

    Raises:
        FactsError: the measurements cannot be read.
    """
    import duckdb

    with open_database({file.parent for file in files}) as db:
        try:
            # No parameters: for a parameter duckdb imports pandas, which takes longer than the query.
            return db.execute(
                _BOUNDS.format(
                    scales=_scales_sql(question),
                    floor=repr(_floor(question)),
                    files=parquet_sql(files),
                    day=quote(question.as_of.isoformat()),
                )
            ).fetchall()
        except duckdb.Error as error:
            raise FactsError(f"cannot read the measurements of {question.store.path}: {error}") from None


def _floor(question: Question) -> float:
    """Return the smallest share of the weight that a repository with a score can have measured."""
    total = math.fsum(question.weights[c.name] for c in question.domain.criteria if not c.benched)
    return FLOOR * total - _TOLERANCE


def _scales_sql(question: Question) -> str:
    rows = []
    for criterion in question.domain.criteria:
        total = math.fsum(s.weight for s in criterion.scales)
        for scale in criterion.scales:
            is_log = scale.curve == "log"
            ends = [math.log1p(end) if is_log else end for end in (scale.worst, scale.best)]
            numbers = (*ends, question.weights[criterion.name] * scale.weight / total)
            texts = join_with_commas(repr(float(n)) for n in numbers)
            rows.append(f"({quote(scale.metric)}, {is_log}, {texts})")
    return join_with_commas(rows)


def _score_all(question: Question, files: Sequence[Path], names: Sequence[str]) -> Iterator[ScoredCandidate]:
    """Yield each repository in this order, with its score and findings."""
    organisations = load_organisations()
    entries = {c.repository: c for c in domain.read_candidates(question.domain, organisations)}
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    for start in range(0, len(names), NAMES_PER_READ):
        block = names[start : start + NAMES_PER_READ]
        measurements = read_measurement_files(files, block, question.as_of)
        for name in block:
            candidate = entries.get(name) or domain.candidate_of(name, owners)
            yield score_candidate(candidate, measurements[name], question)


def _read_missing(question: Question) -> dict[str, str]:
    return dict(read_index(question.store)["missing"])
