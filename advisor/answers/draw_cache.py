"""The draws behind an answer, cached beside a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from advisor.decide.acceptability import DRAWS, Acceptability
from advisor.facts.store import Store
from advisor.files import write_atomically
from advisor.measure.cache import digest
from advisor.model import CriterionScore

Scores = Mapping[str, Sequence[CriterionScore]]


def _draws_key(scores: Scores, weights: Mapping[str, float]) -> str:
    seen = {n: [(c.criterion, c.utility, c.low, c.high) for c in of_it] for n, of_it in scores.items()}
    return digest([DRAWS, list(scores), seen, dict(weights)])


def kept_draws(store: Store, scores: Scores, weights: Mapping[str, float]) -> Acceptability | None:
    """The draws for these scores and weights, if they lie beside the snapshot."""
    try:
        found = json.loads((store.path / "draws.json").read_text())[_draws_key(scores, weights)]
        ranks = {name: tuple(shares) for name, shares in found["ranks"].items()}
        return Acceptability(ranks, found["pairwise"], found["central_weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_draws(store: Store, drawn: Sequence[tuple[Scores, Mapping[str, float], Acceptability]]) -> None:
    """Write draws beside the snapshot."""
    content = {_draws_key(scores, weights): asdict(found) for scores, weights, found in drawn}
    write_atomically(store.path / "draws.json", (json.dumps(content, indent=1) + "\n").encode())
