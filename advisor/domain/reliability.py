"""From a score to the share of libraries that were abandoned 24 months later, and back.

The file is made by scripts/measure_reliability.py from past days of a panel: the score of the domain
`dependencies`, from the criteria that a panel shows, and what became of each library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from advisor.domain.files import data_folder
from advisor.errors import FactsError, InputError

FILE = "reference/reliability.json"
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*% abandoned")


@dataclass(frozen=True)
class Band:
    """Libraries with similar scores.

    Attributes:
        lowest, highest: their scores.
        n: number of library-days.
        share: share that was abandoned 24 months later; it does not rise with the score.
        low, high: 95 % interval of the share (Wilson); each library counts once.
    """

    lowest: float
    highest: float
    n: int
    share: float
    low: float
    high: float


@cache
def read_bands() -> tuple[Band, ...]:
    """Read the bands, the lowest scores first.

    Raises:
        FactsError: the file is missing or damaged.
    """
    path = data_folder() / FILE
    try:
        return tuple(Band(**band) for band in json.loads(path.read_text(encoding="utf-8"))["bands"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FactsError(f"cannot read {path}: {error!r}") from None


def band_of(score: float, bands: Sequence[Band]) -> Band:
    """Return the band of a score; below the first band it is the first."""
    return next((b for b in reversed(bands) if score >= b.lowest), bands[0])


def parse_line(text: str) -> float:
    """Return the lowest score that does not fail a run.

    Args:
        text: a score from 0 to 100, or ``N% abandoned``: the lowest score from which at most N % of the
            libraries were abandoned 24 months later.

    Raises:
        InputError: it is neither, or no score has so few abandoned libraries.
    """
    share = _SHARE.fullmatch(text.strip())
    if share is None:
        try:
            score = float(text)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 100:
            raise InputError(
                f"invalid value {text!r} for --fail-under: expected a score from 0 to 100, or for example"
                ' "5% abandoned"'
            )
        return score
    limit, bands = float(share[1]) / 100, read_bands()
    for band in bands:
        if band.share <= limit:
            return band.lowest
    raise InputError(
        f"no score is so high that at most {share[1]}% were abandoned: of the highest scores, from"
        f" {bands[-1].lowest:.0f}, {bands[-1].share:.1%} were; name a larger share"
    )
