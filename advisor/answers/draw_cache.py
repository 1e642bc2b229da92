"""Cache of the SMAA draws behind an answer, beside a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from advisor.decide.acceptability import DRAWS, Acceptability
from advisor.facts.manifest import lock_store
from advisor.facts.store import Store
from advisor.measure.cache import digest
from advisor.measure.seals import read_with_seal, write_with_seal
from advisor.model import CriterionScore

Scores = Mapping[str, Sequence[CriterionScore]]


def _draws_key(scores: Scores, weights: Mapping[str, float]) -> str:
    rows = {
        name: [(c.criterion, c.utility, c.low, c.high) for c in criteria] for name, criteria in scores.items()
    }
    return digest([DRAWS, list(scores), rows, dict(weights)])


def read_draws(store: Store, scores: Scores, weights: Mapping[str, float]) -> Acceptability | None:
    """Read the draws for these scores and weights; None if the snapshot has no such draws."""
    data = read_with_seal(store.path / "draws.json")
    content = json.loads(data).get(_draws_key(scores, weights)) if data else None
    if content is None:
        return None
    ranks = {name: tuple(shares) for name, shares in content["ranks"].items()}
    return Acceptability(ranks, content["pairwise"], content["central_weights"])


def write_draws(store: Store, draws: Sequence[tuple[Scores, Mapping[str, float], Acceptability]]) -> None:
    """Write draws, each with the scores and weights behind it, beside the snapshot."""
    content = {_draws_key(scores, weights): asdict(shares) for scores, weights, shares in draws}
    with lock_store(store.path):
        write_with_seal(store.path / "draws.json", (json.dumps(content, indent=1) + "\n").encode())
