"""Cache of the SMAA draws behind an answer.

Beside a snapshot are those as of its own date and of ends of months; the user's cache has those of questions
that were asked once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from advisor.decide import acceptability
from advisor.decide.acceptability import DRAWS, Acceptability
from advisor.facts.manifest import lock_store
from advisor.facts.store import Store
from advisor.measure import months, user_cache
from advisor.measure.cache import digest
from advisor.measure.seals import read_with_seal, write_with_seal
from advisor.model import CriterionScore

Scores = Mapping[str, Sequence[CriterionScore]]


def _draws_key(scores: Scores, weights: Mapping[str, float]) -> str:
    rows = {
        name: [(c.criterion, c.utility, c.low, c.high) for c in criteria] for name, criteria in scores.items()
    }
    return digest([DRAWS, rows, dict(weights)])  # in any order of the candidates


def read_draws(
    store: Store, as_of: date, scores: Scores, weights: Mapping[str, float]
) -> Acceptability | None:
    """Read the draws for these scores and weights; None if the snapshot has no such draws as of the day."""
    if as_of == store.as_of:
        data = read_with_seal(store.path / "draws.json")
        kept_draws = json.loads(data) if data else {}
    else:
        kept_draws = (months.read_entry(store, months.day_entry(as_of)) or {}).get("draws", {})
    content = kept_draws.get(_draws_key(scores, weights))
    return None if content is None else _decode_draws(content)


def read_or_draw(
    store: Store, as_of: date, scores: Scores, weights: Mapping[str, float], *, is_repeated: bool = True
) -> Acceptability:
    """Return the draws beside the snapshot or in the user's cache, else draw.

    The user's cache gets draws that may be asked for again (``is_repeated``).
    """
    shares = read_draws(store, as_of, scores, weights)
    if shares is not None:
        return shares
    if not is_repeated or not scores:
        return acceptability.sample_ranks(scores, weights)
    code = user_cache.hash_code([Path(acceptability.__file__)])
    key = digest([_draws_key(scores, weights), code])
    content = user_cache.read_value(key)
    if content is not None:
        return _decode_draws(content)
    shares = acceptability.sample_ranks(scores, weights)
    user_cache.write_value(key, asdict(shares))
    return shares


def _decode_draws(content: Mapping[str, Any]) -> Acceptability:
    ranks = {name: tuple(shares) for name, shares in content["ranks"].items()}
    return Acceptability(ranks, content["pairwise"], content["central_weights"])


def encode_draws(
    draws: Sequence[tuple[Scores, Mapping[str, float], Acceptability]],
) -> dict[str, Any]:
    """Return draws, each with the scores and weights behind it, as values for JSON."""
    return {_draws_key(scores, weights): asdict(shares) for scores, weights, shares in draws}


def write_draws(store: Store, content: Mapping[str, Any]) -> None:
    """Write draws of `encode_draws` as of the snapshot's own date beside it."""
    text = json.dumps(content, separators=(",", ":")) + "\n"
    with lock_store(store.path):
        write_with_seal(store.path / "draws.json", text.encode())
