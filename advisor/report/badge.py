"""The recommendation as a badge: a small SVG for a README, in the flat style of CI badges."""

from __future__ import annotations

from pathlib import Path

from advisor.model import Recommendation
from advisor.report.values import CONFIDENCE, describe_kind

_FOLDER = Path(__file__).parent
# White text of 11 px has a contrast of at least 4.5:1 on each.
_COLOURS = {"clear": "#2a7a2a", "leaning": "#8a5a00", "tie": "#8a5a00", "only": "#5b6470", "none": "#a3262e"}
_WIDE, _NARROW = set("mwMW@%—–"), set("fijlrtI.,:;'|()[]! ")
_PADDING = 6  # px at each side of a text


def render(answer: Recommendation) -> str:
    """Return an SVG of one line; equal bytes for equal answers."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    label, message = f"advisor: {answer.domain}", _describe(answer)
    left, right = (round(_text_width(text)) + 2 * _PADDING for text in (label, message))
    return environment.get_template("badge.svg.j2").render(
        label=label,
        message=message,
        title=f"{label}, {message}: {CONFIDENCE[describe_kind(answer)]}, as of {answer.as_of}",
        colour=_COLOURS[answer.certainty],
        left=left,
        right=right,
        padding=_PADDING,
    )


def _describe(answer: Recommendation) -> str:
    choice = answer.first_choice
    if choice is None or choice.score is None:
        return "nothing suitable"
    text = f"{choice.candidate.name} {choice.score:.0f}"
    is_compared = answer.certainty in {"clear", "leaning", "tie"} and choice.wins is not None
    return f"{text}, first in {choice.wins:.0%}" if is_compared else text


def _text_width(text: str) -> float:
    """Return the width in Verdana of 11 px, of which the SVG stretches the text to this width."""
    return sum(10.0 if c in _WIDE else 4.3 if c in _NARROW else 7.0 for c in text)
