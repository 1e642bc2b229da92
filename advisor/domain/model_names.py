"""The model family that a user means; an ambiguous name is an error that lists the choices."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from advisor.domain.families import Family, family_of, normalise_name
from advisor.errors import InputError


def find_family(model: str, families: Sequence[Family]) -> Family | None:
    """Return the family of a model that a user names; None if it is not a tracked one.

    Args:
        model: ``owner/name`` as on the Hub, the name alone, or the name of a family.
        families: the tracked families.

    Raises:
        InputError: the name has no version and no size, and several families start with it.
    """
    name = model.strip().replace(" ", "-")
    plain = normalise_name(name)
    if not re.search(r"\d", plain):
        starts = [f for f in families if _starts_with(f, plain)]
        if len(starts) > 1:
            choices = ", ".join(f.name for f in starts)
            raise InputError(
                f"ambiguous model {model!r}: it can mean {choices}; name one of them, or a model such as "
                f"{starts[-1].yes[0]}"
            )
        if starts:
            return starts[0]
    by_name = next((f for f in families if normalise_name(f.name.replace(" ", "-")) == plain), None)
    return by_name or family_of(name, families)


def find_near_names(model: str, families: Sequence[Family]) -> list[str]:
    """Return at most three names of families and of their models that look like an unknown name."""
    names = {normalise_name(n.replace(" ", "-")): n for f in families for n in (*reversed(f.yes), f.name)}
    plain = normalise_name(model.strip().replace(" ", "-"))
    return [names[n] for n in difflib.get_close_matches(plain, names, n=3, cutoff=0.6)]


def _starts_with(family: Family, plain: str) -> bool:
    """Return whether the name of a family starts with a word: ``gemma`` starts Gemma 3n, but not gemmax."""
    if not plain:
        return False
    return (
        re.match(re.escape(plain) + r"(?![a-z])", normalise_name(family.name.replace(" ", "-"))) is not None
    )
