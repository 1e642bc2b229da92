"""The report for a terminal or a pipe: the answer, the reasons, the doubts, then the tables."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.model import Ranked, Recommendation
from advisor.report import HEADLINES, show, show_outlook

_CERTAINTY = {
    "clear": "a clear choice",
    "leaning": "leaning, not clear",
    "tie": "a tie, decided by the default",
    "none": "",
}


LEGEND = "?: not known. n/a: says nothing here. [a–b]: bounds. Every number: --format json"


def render(answer: Recommendation) -> str:
    """Plain text of at most 125 columns for up to half a dozen candidates."""
    before, after = sections(answer)
    lines = [context(answer), "", headline(answer), *_bullets(before)]
    lines += ["", *table(*ranking_rows(answer)), "", *table(*headline_rows(answer))]
    for section in after:
        lines += ["", *_bullets([section])]
    lines += ["", LEGEND]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def context(answer: Recommendation) -> str:
    """What was asked, of which facts."""
    return f"{answer.domain}: goal {answer.goal}, as of {answer.as_of}, snapshot {answer.snapshot}"


def headline(answer: Recommendation) -> str:
    """The answer in a line."""
    if answer.choice is None:
        return "Nothing suitable: every candidate is excluded or unknown."
    return f"Recommendation: {answer.choice} ({_CERTAINTY[answer.certainty]})"


Section = tuple[str, Sequence[str]]


def sections(answer: Recommendation) -> tuple[list[Section], list[Section]]:
    """(title, sentences) of what stands before the tables and of what stands after them."""
    warned = [
        f"{r.candidate.name}: {f.verdict}: {f.text}"
        for r in answer.ranking
        for f in r.findings
        if f.verdict != "prefer" and r.candidate.repository != answer.choice
    ]
    missing = [f"{name}: {why}" for name, why in answer.missing.items()]
    nearest = {turn.kind: turn.text for turn in reversed(answer.flips)}
    turns = [nearest[kind] for kind in ("weight", "value") if kind in nearest]
    before = [
        ("why", answer.reasons),
        ("doubts", answer.doubts),
        ("would change the order", turns),
        ("what you asked for", answer.asked),
    ]
    after = [
        ("excluded and warned about", warned),
        (f"leaving the default ({answer.default})", answer.leaving_default),
        ("not ranked", missing),
    ]
    return [s for s in before if s[1]], [s for s in after if s[1]]


def _bullets(found: Sequence[Section]) -> list[str]:
    return [line for title, texts in found for line in (f"  {title}:", *(f"    - {text}" for text in texts))]


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Columns aligned on spaces; the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    ]


def ranking_rows(answer: Recommendation) -> tuple[list[str], list[list[str]]]:
    """Header and one row a candidate: rank, score with bounds, wins, coverage, criteria (0 to 100)."""
    names = [c.criterion for c in answer.ranking[0].criteria] if answer.ranking else []
    header = ["candidate", "rank", "score", "from–to", "wins", "known", *names]
    return header, [_ranking_row(r) for r in answer.ranking]


def _ranking_row(r: Ranked) -> list[str]:
    return [
        r.candidate.name,
        str(r.rank) if r.rank is not None else "out" if r.excluded else "?",
        "?" if r.score is None else f"{r.score:.0f}",
        f"{r.low:.0f}–{r.high:.0f}",
        f"{r.wins:.0%}" if r.rank is not None else "",
        f"{r.coverage:.0%}",
        *("?" if c.utility is None else f"{100 * c.utility:.0f}" for c in r.criteria),
    ]


def headline_rows(answer: Recommendation) -> tuple[list[str], list[list[str]]]:
    """Header (metric, then the candidates) and one row a headline metric of the criteria."""
    rows = []
    for criterion in answer.ranking[0].criteria if answer.ranking else ():
        known = [s.metric for s in criterion.metrics]
        for metric in HEADLINES.get(criterion.criterion, tuple(known[:2])):
            rows.append([metric, *(show(r.measurement(metric)) for r in answer.ranking)])
    for place, horizon in enumerate(answer.ranking[0].outlook if answer.ranking else ()):
        label = f"no commit in {horizon.horizon_months} months"
        rows.append([label, *(show_outlook(r.outlook[place]) for r in answer.ranking)])
    rows.append(["backer", *(r.candidate.backer or "?" for r in answer.ranking)])
    rows.append(["kind of backer", *(r.candidate.backer_kind or "?" for r in answer.ranking)])
    return ["", *(r.candidate.name for r in answer.ranking)], rows
