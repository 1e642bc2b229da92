"""advisor rank --all: everybody whom `advisor measure` measured, and the first of them weighed with care.

A score hangs on nobody else, so all are scored column by column where the measurements lie. What compares
or explains (draws, reasons, flips) is worked out for a shortlist alone: those of the highest scores that no
rule excludes, scored again one by one as ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from advisor import domain as domains
from advisor.advise import Question, Request, ordered_answer, read_request, score_candidate
from advisor.errors import FactsError, InputError
from advisor.kept import FOLDER, measured_files, read_measured
from advisor.model import Ranked, Recommendation

if TYPE_CHECKING:
    import duckdb

SHORTLIST = 10
BLOCK = 2 * SHORTLIST  # so many are read at once, since rules may exclude some

# ``scales``: metric, criterion, weight in it, ends of the scale with logarithms taken, weight of the criterion.
_SCORES = """
WITH utilities AS (
    SELECT m.repository, s.criterion, s.of_all, s.weight,
           least(1, greatest(0, (CASE WHEN s.is_log THEN ln(1 + greatest(0, m.value)) ELSE m.value END - s.worst)
                                / (s.best - s.worst))) AS utility
    FROM read_parquet($1) AS m JOIN scales AS s ON m.metric = s.metric
    WHERE m.as_of = $2 AND m.value IS NOT NULL
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
    scored = scores(asked)
    ranked: list[Ranked] = []
    for measured in _candidates(asked, [name for name, _ in scored]):
        ranked.append(measured)
        if sum(not r.excluded for r in ranked) == SHORTLIST:
            break
    answer = ordered_answer(asked, ranked, _missing(asked))
    said = f"is on the shortlist: the {SHORTLIST} highest scores of {len(scored):,} that no rule excludes"
    return replace(answer, reasons=(said, *answer.reasons)) if answer.choice else answer


def scores(asked: Question) -> list[tuple[str, float]]:
    """(repository, score from 0 to 100) of everybody measured, the highest first; rules are not asked.

    Raises:
        InputError: nothing was measured as of that day.
        FactsError: the measurements cannot be read.
    """
    files = measured_files(asked.store, asked.as_of)
    if not files:
        raise InputError(
            f"nobody was measured as of {asked.as_of} from the facts in {asked.store.path}; "
            f"run `advisor measure {asked.store.path}` first"
        )
    import duckdb

    with duckdb.connect(config={"threads": 2}) as db:
        _lay_scales(db, asked)
        try:
            return db.execute(_SCORES, [[str(f) for f in files], asked.as_of]).fetchall()
        except duckdb.Error as error:
            raise FactsError(f"the measurements of {asked.store.path} cannot be read: {error}") from None


def _lay_scales(db: duckdb.DuckDBPyConnection, asked: Question) -> None:
    db.execute(
        "CREATE TEMP TABLE scales (metric VARCHAR, criterion VARCHAR, weight DOUBLE, worst DOUBLE, best DOUBLE,"
        " is_log BOOLEAN, of_all DOUBLE)"
    )
    rows = []
    for criterion in asked.domain.criteria:
        for scale in criterion.scales:
            is_log = scale.curve == "log"
            worst, best = (math.log1p(end) if is_log else end for end in (scale.worst, scale.best))
            whole = asked.weights[criterion.name]
            rows.append((scale.metric, criterion.name, scale.weight, worst, best, is_log, whole))
    db.executemany("INSERT INTO scales VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _candidates(asked: Question, names: Sequence[str]) -> Iterator[Ranked]:
    """Everybody who has a score, scored with all findings, in this order."""
    organisations = domains.load_organisations()
    known = {c.repository: c for c in domains.candidates(asked.domain, organisations)}
    owners = {owner.lower(): o for o in organisations.values() for owner in o.github}
    for start in range(0, len(names), BLOCK):
        some = names[start : start + BLOCK]
        measured: Mapping[str, Any] = read_measured(asked.store, some, asked.as_of) or {}
        for name in some:
            candidate = known.get(name) or domains.candidate_of(name, owners)
            yield score_candidate(candidate, measured[name], asked)


def _missing(asked: Question) -> dict[str, str]:
    index = json.loads((asked.store.path / FOLDER / "index.json").read_text())
    return dict(index["missing"])
