"""The answer as an HTML card for a notebook: the choice, the reasons, the doubts and the first candidates."""

from __future__ import annotations

from pathlib import Path

from advisor.model import Recommendation
from advisor.report.ranking.text import context
from advisor.report.values import CONFIDENCE, describe_kind

MOST_ROWS = 5
_FOLDER = Path(__file__).parent


def render(answer: Recommendation) -> str:
    """Return one ``div`` with its own style: no script, no address to load from."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("card.html.j2").render(
        answer=answer,
        context=context(answer),
        confidence=CONFIDENCE[describe_kind(answer)],
        rows=answer.ranking[:MOST_ROWS],
        rest=len(answer.ranking) - MOST_ROWS,
    )
