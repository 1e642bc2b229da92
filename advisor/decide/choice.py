"""Which of the ranked candidates to recommend, and how certain that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from advisor.decide.acceptability import CLEAR, Acceptability, certainty
from advisor.model import Ranked

Certainty = Literal["clear", "leaning", "tie", "only", "none"]


def choose(
    contenders: Sequence[Ranked], default: str | None, shares: Acceptability
) -> tuple[Ranked | None, Certainty]:
    """Return the choice and its certainty.

    The first by score is the choice. In a tie the default is, if the first scores higher than it in fewer
    than 80 % of the draws. One candidate is no comparison.

    Args:
        contenders: the candidates with a rank, the best first.
        default: the default of the domain.
        shares: of the draws with these candidates.
    """
    if not contenders:
        return None, "none"
    first = contenders[0]
    if len(contenders) == 1:
        return first, "only"
    how_certain = certainty(first.wins or 0.0)
    by_name = {r.repository: r for r in contenders[1:]}
    if how_certain == "tie" and default in by_name and shares.pairwise[first.repository][default] < CLEAR:
        return by_name[default], how_certain
    return first, how_certain
