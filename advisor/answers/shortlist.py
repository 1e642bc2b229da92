"""advisor rank --all: rank every measured repository, and weigh a shortlist of them with care.

A score depends on no other repository, so SQL computes all scores where the measurements are. What compares
or explains (draws, reasons, flips) is computed for a shortlist only: the highest scores that no rule
excludes, scored again one by one like any candidate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from advisor.answers.question import Question
from advisor.answers.recommend import build_recommendation, score_candidate
from advisor.domain import domain
from advisor.domain.organisations import load_organisations
from advisor.errors import FactsError, InputError
from advisor.facts.database import join_with_commas, open_database, parquet_sql, quote
from advisor.measure.cache import measurement_files, read_index, read_measurement_files
from advisor.model import Recommendation, ScoredCandidate

SHORTLIST = 10
BLOCK = 2 * SHORTLIST  # repositories to read at once; rules may exclude some

# The ends of a logarithmic scale are logarithms here.
_SCORES = """
WITH scales (metric, criterion, is_log, weight, worst, best, of_all) AS (VALUES {scales}),
utilities AS (
    SELECT m.repository, s.criterion, s.of_all, s.weight,
           CASE WHEN s.is_log THEN ln(1 + greatest(0, m.value)) ELSE m.value END AS curved,
           least(1, greatest(0, (curved - s.worst) / (s.best - s.worst))) AS utility
    FROM {files} AS m JOIN scales AS s ON m.metric = s.metric
    WHERE m.as_of = DATE {day} AND m.value IS NOT NULL
),
criteria AS (
    SELECT repository, of_all, sum(weight * utility) / sum(weight) AS utility FROM utilities
    GROUP BY repository, criterion, of_all
)
SELECT repository, 100 * sum(of_all * utility) / sum(of_all) AS score FROM criteria WHERE of_all > 0
GROUP BY repository ORDER BY score DESC, lower(repository)
"""


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
    scores = read_scores(question, files)
    candidates: list[ScoredCandidate] = []
    for candidate in _score_all(question, files, [name for name, _ in scores]):
        candidates.append(candidate)
        if sum(not c.excluded for c in candidates) == SHORTLIST:
            break
    recommendation = build_recommendation(question, candidates, _read_missing(question))
    if recommendation.choice is None:
        return recommendation
    reason = f"is on the shortlist: the {SHORTLIST} highest scores of {len(scores):,} that no rule excludes"
    return replace(recommendation, reasons=(reason, *recommendation.reasons))


def read_scores(question: Question, files: Sequence[Path]) -> list[tuple[str, float]]:
    """Return (repository, score from 0 to 100) of every measured repository, the highest first.

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
                _SCORES.format(
                    scales=_scales_sql(question),
                    files=parquet_sql(files),
                    day=quote(question.as_of.isoformat()),
                )
            ).fetchall()
        except duckdb.Error as error:
            raise FactsError(f"cannot read the measurements of {question.store.path}: {error}") from None


def _scales_sql(question: Question) -> str:
    rows = []
    for criterion in question.domain.criteria:
        for scale in criterion.scales:
            is_log = scale.curve == "log"
            ends = [math.log1p(end) if is_log else end for end in (scale.worst, scale.best)]
            numbers = (scale.weight, *ends, question.weights[criterion.name])
            texts = join_with_commas(repr(float(n)) for n in numbers)
            rows.append(f"({quote(scale.metric)}, {quote(criterion.name)}, {is_log}, {texts})")
    return join_with_commas(rows)


def _score_all(question: Question, files: Sequence[Path], names: Sequence[str]) -> Iterator[ScoredCandidate]:
    """Yield each repository in this order, with its score and findings."""
    organisations = load_organisations()
    entries = {c.repository: c for c in domain.read_candidates(question.domain, organisations)}
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    for start in range(0, len(names), BLOCK):
        block = names[start : start + BLOCK]
        measurements = read_measurement_files(files, block, question.as_of)
        for name in block:
            candidate = entries.get(name) or domain.candidate_of(name, owners)
            yield score_candidate(candidate, measurements[name], question)


def _read_missing(question: Question) -> dict[str, str]:
    return dict(read_index(question.store)["missing"])
