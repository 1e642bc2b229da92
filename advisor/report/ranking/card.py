"""The answer as an HTML card for a notebook: the choice, the reasons, the doubts and the first candidates."""

from __future__ import annotations

from pathlib import Path

from advisor.model import Recommendation
from advisor.report.ranking.text import context
from advisor.report.values import CONFIDENCE, describe_kind

MOST_ROWS = 5
_TEMPLATE = Path(__file__).parent / "card.html.j2"


def render(answer: Recommendation) -> str:
    """Return one ``div`` with its own style: no script, no address to load from."""
    from advisor.report.templates import read_template

    return read_template(_TEMPLATE, keeps_last_line_end=False).render(
        answer=answer,
        context=context(answer),
        confidence=CONFIDENCE[describe_kind(answer)],
        rows=answer.ranking[:MOST_ROWS],
        rest=len(answer.ranking) - MOST_ROWS,
    )
