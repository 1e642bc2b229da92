"""The first screen of the page: what to choose, instead of what, how sure, and the first three rows.

`assets/first_screen.js` says the same after each change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.answers.requirement_check import find_favourites
from advisor.decide.acceptability import CLEAR, LEANING
from advisor.model import Ranked, Recommendation
from advisor.report.values import CONFIDENCE, describe_kind

TOP = 3
REASONS, DOUBTS, FLIPS = 2, 1, 2  # of each list; the rest is folded


def first_screen(answer: Recommendation) -> dict[str, Any]:
    """Return the values of the first screen, for the template."""
    choice, contenders = answer.first_choice, _contenders(answer)
    wins_text = _describe_wins(answer, choice, contenders)
    instead = _describe_instead(answer, choice, contenders)
    return {
        "summary": _summarise(answer, instead, wins_text),
        "instead": instead,
        "wins_text": wins_text,
        "wins_percent": round(100 * (choice.wins or 0.0), 2) if choice else 0.0,
        # The first reason is the share of the weightings, which stands above the reasons already.
        "reasons": list(answer.reasons[1:] if wins_text else answer.reasons),
        "thresholds": [100 * LEANING, 100 * CLEAR],
        "top": [r.repository for r in top_rows(answer)],
        "indices": {r.repository: i for i, r in enumerate(answer.ranking)},
        "choice_at": round(choice.score, 2) if choice and choice.score is not None else -1,
        "most": {"reasons": REASONS, "doubts": DOUBTS, "flips": FLIPS},
    }


def _summarise(answer: Recommendation, instead: Mapping[str, str], wins_text: str) -> str:
    """Return the answer in a sentence, for search engines and for those who see a link to the page."""
    confidence = CONFIDENCE[describe_kind(answer)]
    rival = f"{instead['before']} {instead['name']}, {instead['after']}" if instead["name"] else ""
    parts = [rival, confidence, wins_text, f"as of {answer.as_of}"]
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}."


def top_rows(answer: Recommendation) -> list[Ranked]:
    """Return the first three candidates, the choice always among them; none if nothing has a rank."""
    ranked = [r for r in answer.ranking if r.rank is not None]
    choice = answer.first_choice
    if choice is None or choice in ranked[:TOP]:
        return ranked[:TOP]
    return [*ranked[: TOP - 1], choice]


def _contenders(answer: Recommendation) -> list[Ranked]:
    """Return the candidates with a rank, or those of them that have a backer that the user prefers."""
    ranked = [r for r in answer.ranking if r.rank is not None]
    favourites = find_favourites(ranked)
    return [r for r in ranked if r in favourites] or ranked


def _describe_instead(
    answer: Recommendation, choice: Ranked | None, contenders: Sequence[Ranked]
) -> dict[str, str]:
    """Return the runner-up with the words before and after its name; empty without a comparison."""
    rival = next((r for r in contenders if r is not choice), None)
    if choice is None or rival is None or choice.score is None or rival.score is None:
        return {"before": "", "name": "", "after": ""}
    points = f"{abs(choice.score - rival.score):.1f} points"
    if contenders[0] is not choice:
        return {"before": "level with", "name": rival.candidate.name, "after": f"which has {points} more"}
    is_tie = answer.certainty == "tie"
    before, after = ("just ahead of", f"by {points}") if is_tie else ("rather than", f"{points} behind")
    return {"before": before, "name": rival.candidate.name, "after": after}


def _describe_wins(answer: Recommendation, choice: Ranked | None, contenders: Sequence[Ranked]) -> str:
    """Return in how many weightings the choice comes first; empty without a comparison of all candidates."""
    ranked = [r for r in answer.ranking if r.rank is not None]
    if choice is None or choice.wins is None or len(contenders) < 2 or len(contenders) < len(ranked):
        return ""
    first = contenders[0]
    text = f"first in {100 * choice.wins:.0f} of 100 weightings"
    if first is not choice and first.wins is not None:
        text += f", {first.candidate.name} in {100 * first.wins:.0f}"
    text += f"; clear from {100 * CLEAR:.0f}"
    if answer.certainty == "leaning" and choice.wins >= CLEAR:
        text += ", but a requirement or goal could not be checked"
    return text
