"""Kinds of licences by their SPDX identifier.

Sources: spdx.org/licenses; the Blue Oak Council's list of permissive licences; gnu.org, "Various Licenses".
An identifier that is not here has no kind: nobody has judged it.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["permissive", "copyleft", "restricted"]

_PERMISSIVE = (
    "0bsd", "apache", "blueoak-1.0.0", "bsd", "bsl-1.0", "cc0-1.0", "hpnd", "icu", "isc", "mit", "ncsa",
    "postgresql", "psf-2.0", "python-2.0", "unicode", "unlicense", "upl-1.0", "wtfpl", "x11", "zlib", "zpl",
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
