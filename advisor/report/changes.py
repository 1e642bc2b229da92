"""What changed between two answers to one question, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.model import Ranked, Recommendation
from advisor.report.values import CONFIDENCE, describe_kind

NOTABLE_POINTS = 1.0  # of a score; sentences leave out smaller changes


def render(before: Recommendation, now: Recommendation) -> str:
    """Return the changes as a section of the text report.

    Args:
        before: the answer as of an earlier day.
        now: the answer as of a later day, with the same goal and weights.
    """
    return "\n".join([f"since {before.as_of}:", *(f"  - {text}" for text in list_changes(before, now)), ""])


def list_changes(before: Recommendation, now: Recommendation) -> list[str]:
    """Return the change of the choice first, then those of each candidate in the order of today."""
    earlier = {r.repository: r for r in before.ranking}
    changes = [_describe_choice(before, now)]
    for r in now.ranking:
        old = earlier.get(r.repository)
        changes += [f"{r.candidate.name} is new"] if old is None else _describe_candidate(old, r)
    return changes


def _describe_choice(before: Recommendation, now: Recommendation) -> str:
    then, today = (_name_choice(answer) for answer in (before, now))
    if before.choice == now.choice:
        kinds = [CONFIDENCE[describe_kind(answer)] for answer in (before, now)]
        was = "" if kinds[0] == kinds[1] else f"; it was {kinds[0]}"
        return f"the choice is still {today}{was}"
    return f"the choice was {then} and is now {today}"


def _name_choice(answer: Recommendation) -> str:
    choice, confidence = answer.first_choice, CONFIDENCE[describe_kind(answer)]
    return f"{choice.candidate.name} ({confidence})" if choice else f"nothing ({confidence})"


def _describe_candidate(old: Ranked, new: Ranked) -> Iterator[str]:
    """Yield the changes of a candidate: rank, score, and findings that are new."""
    name = new.candidate.name
    if old.rank == new.rank is not None and _has_moved(old, new):
        yield f"{name}: still rank {new.rank}, from {old.score:.0f} to {new.score:.0f} points"
    elif old.rank != new.rank or _has_moved(old, new):
        yield f"{name}: {_place(old)}, now {_place(new)}"
    known = {(f.rule, f.verdict) for f in old.findings}
    for f in new.findings:
        if f.verdict != "prefer" and (f.rule, f.verdict) not in known:
            yield f"{name}: new {'exclusion' if f.verdict == 'exclude' else 'warning'}: {f.text}"


def _has_moved(old: Ranked, new: Ranked) -> bool:
    if old.score is None or new.score is None:
        return old.score is not new.score
    return abs(old.score - new.score) >= NOTABLE_POINTS


def _place(r: Ranked) -> str:
    rank = f"rank {r.rank}" if r.rank is not None else "excluded" if r.excluded else "no rank"
    return rank if r.score is None else f"{rank} with {r.score:.0f} points"
