"""Kinds of licences by their SPDX identifier.

Sources: spdx.org/licenses; the Blue Oak Council's list of permissive licences; gnu.org, "Various Licenses".
An identifier that is not here has no kind: nobody has judged it.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["permissive", "copyleft", "restricted"]

_PERMISSIVE = (
    "0bsd", "apache", "blueoak-1.0.0", "bsd", "bsl-1.0", "cc0-1.0", "cnri-python", "hpnd", "icu", "isc",
    "mit", "ncsa", "postgresql", "psf-2.0", "python-2.0", "unicode", "unlicense", "upl-1.0", "wtfpl", "x11",
    "zlib", "zpl",
)  # fmt: skip
_COPYLEFT = (
    "agpl",
    "cc-by-sa",
    "cddl",
    "cecill",
    "cpal",
    "epl",
    "eupl",
    "gpl",
    "lgpl",
    "mpl",
    "ms-rl",
    "osl",
)
_CONDITIONS = ("busl", "cc-by-nc", "cc-by-nd", "elastic", "fsl", "sspl", "polyform")


def kind_of_licence(identifier: str) -> Kind | None:
    """Return the kind of a licence; None: unknown, or an expression of several licences."""
    name = identifier.strip().lower()
    kinds: dict[Kind, tuple[str, ...]] = {
        "restricted": _CONDITIONS, "copyleft": _COPYLEFT, "permissive": _PERMISSIVE,
    }  # fmt: skip
    if " " in name:
        return None
    for kind, starts in kinds.items():
        if any(name == start or name.startswith(f"{start}-") for start in starts):
            return kind
    return None


# From the kind that asks for least to the one that asks for most.
_ORDER: tuple[Kind, ...] = ("permissive", "copyleft", "restricted")


def kind_of_expression(expression: str) -> Kind | None:
    """Return the kind of an SPDX expression without brackets; None: unknown.

    Of licences with OR between them the user may choose the one that asks for least, those with AND all count
    (spdx.org, annex "SPDX license expressions"). A proprietary licence has no identifier of its own.
    """
    alternatives = [_kind_of_all(text) for text in re.split(r" OR ", expression)]
    kinds = [kind for kind in alternatives if kind]
    return min(kinds, key=_ORDER.index) if kinds else None


def _kind_of_all(text: str) -> Kind | None:
    kinds = [_kind_of_one(part.partition(" WITH ")[0].strip("() ")) for part in text.split(" AND ")]
    known = [kind for kind in kinds if kind]
    if "restricted" in known:
        return "restricted"
    return max(known, key=_ORDER.index) if len(known) == len(kinds) else None


def _kind_of_one(text: str) -> Kind | None:
    if re.search(r"proprietary|nvidia", text, re.IGNORECASE):
        return "restricted"
    name = re.sub(r"\b(the|licen[cs]e|version)\b|,", " ", text, flags=re.IGNORECASE)
    return kind_of_licence("-".join(name.split()))
