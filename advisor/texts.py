"""Texts from outside, as a terminal may show them."""

from __future__ import annotations

import re

# They move the cursor, hide or forge lines, or turn the direction of a text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def replace_controls(text: str) -> str:
    """Return a text in which no character controls the terminal; lines and tabs stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
