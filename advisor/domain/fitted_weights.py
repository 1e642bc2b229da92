"""The weights of criteria that outcomes chose: the file of scripts/fit_weights.py.

A goal that names outcomes takes the mean of their weights for the criteria that a panel shows. What a panel
does not show, such as the backing organisation, keeps the weight that an expert gives in the domain file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from advisor.errors import ConfigError

FILE = "reference/weights.json"
CRITERIA = ("contributors", "issues", "activity", "adoption", "momentum", "outlook")
"""The criteria that a panel shows, at least in part."""

OUTCOMES: Mapping[str, str] = {
    "alive": "not abandoned",
    "kept up": "still worked on at a fifth of the pace or more",
    "downloads gained": "more downloads",
    "newcomers gained": "more contributors",
    "issues answered": "issues closed for those opened",
}
"""Outcome, two years later → in words."""

WITHOUT = " without the outlook"
"""Suffix of an outcome: the weights of the other criteria if there is no outlook."""


@cache
def read_fitted_weights(folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return outcome, also with `WITHOUT`, → criterion → weight; the weights of an outcome add up to 1.

    Args:
        folder: the data folder.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["outcomes"]
        names = [name + suffix for name in OUTCOMES for suffix in ("", WITHOUT)]
        return {name: {c: float(w) for c, w in content[name].items()} for name in names}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read the fitted weights {path}: {error!r}") from None


def complete_weights(
    outcomes: Iterable[str],
    experts: Mapping[str, float],
    criteria: Iterable[str],
    fitted_weights: Mapping[str, Mapping[str, float]],
) -> dict[str, float]:
    """Return the weights of a goal; they add up to 100.

    Args:
        outcomes: those of the goal; each counts the same.
        experts: criterion that a panel does not show → its weight, of 100.
        criteria: the criteria of the domain; the weights of others are left out.
        fitted_weights: from `read_fitted_weights`.
    """
    names = [c for c in criteria if c in CRITERIA]
    suffix = "" if "outlook" in names else WITHOUT
    sums = {name: sum(fitted_weights[outcome + suffix][name] for outcome in outcomes) for name in names}
    share = (100 - sum(experts.values())) / (sum(sums.values()) or 1.0)
    return {**{name: total * share for name, total in sums.items()}, **experts}
