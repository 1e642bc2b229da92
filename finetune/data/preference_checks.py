"""The checks of preferences: contradictions, exchanged answers, lengths, labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from finetune.data.findings import Finding, Material, count_rows, describe_rows, make_finding

_LONGER_SHARE, _MIN_PAIRS = 0.8, 20
_BALANCE = 4 / 3  # of the KTO paper (arXiv 2402.01306, equation 8) with equal weights


def check_contradictions(m: Material) -> Iterator[Finding]:
    """Find rows that prefer the opposite of an earlier row with the same prompt."""
    orders: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    places = []
    for place, row in m.raw["train"].items():
        answers = tuple(side.answer for side in row.sides)
        order = answers if row.rejected else (str(row.is_desirable),)
        orders[row.question, *sorted(answers)].add(order)
        if (row.rejected or row.is_desirable is not None) and len(orders[row.question, *sorted(answers)]) > 1:
            places.append(place)
    if places:
        rest = "the opposite of an earlier row with the same answers"
        what = describe_rows(places, f"prefers {rest}", f"prefer {rest}")
        yield make_finding("contradiction", what, m.where(places), places)


def check_scores(m: Material) -> Iterator[Finding]:
    """Find rows whose scores rate the chosen answer lower than the rejected one."""
    for split, rows in m.raw.items():
        places = [p for p, row in rows.items() if row.score_gap is not None and row.score_gap < 0]
        if places:
            rest = "a lower score for the chosen than for the rejected answer"
            what = describe_rows(places, f"has {rest}", f"have {rest}", split)
            yield make_finding("lower-score", what, m.where(places, split), places)


def check_answer_lengths(m: Material) -> Iterator[Finding]:
    """Find data whose chosen answers are nearly always the longer ones."""
    pairs = [(p, row, row.rejected) for p, row in m.token_rows["train"] if row.rejected]
    places = [place for place, chosen, rejected in pairs if len(chosen.input_ids) > len(rejected.input_ids)]
    if len(pairs) >= _MIN_PAIRS and len(places) >= _LONGER_SHARE * len(pairs):
        what = f"the chosen answer is the longer one in {len(places) / len(pairs):.0%} of the rows"
        yield make_finding("longer-answers", what, m.where(places), places)


def check_labels(m: Material) -> Iterator[Finding]:
    """Find data with one label only, or with many more rows of one label."""
    if m.spec.method.objective != "kto":
        return
    labelled_rows = [(p, r.is_desirable) for p, r in m.raw["train"].items() if r.is_desirable is not None]
    places = {label: [p for p, other in labelled_rows if other is label] for label in (True, False)}
    pairs = sum(row.rejected is not None for row in m.raw["train"].values())
    counts = {label: len(rows) + pairs for label, rows in places.items()}
    few, many = sorted(counts, key=lambda label: counts[label])
    if not counts[few]:
        what = f"all {count_rows(places[many])} have the label {str(many).lower()}"
        yield make_finding("one-label", what, m.where(places[many]), places[many])
    elif counts[many] > _BALANCE * counts[few]:
        what = f"{counts[True]:,} answers are desirable and {counts[False]:,} undesirable"
        yield make_finding("unbalanced-labels", what, m.where(places[many]), places[many])


PREFERENCE_CHECKS: tuple[Callable[[Material], Iterator[Finding]], ...] = (
    check_contradictions,
    check_scores,
    check_answer_lengths,
    check_labels,
)
