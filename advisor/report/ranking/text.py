"""A recommendation for a terminal or a pipe: the choice, the reasons, the doubts, then the tables."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.model import Ranked, Recommendation
from advisor.report.record import describe_record
from advisor.report.tables import text_table
from advisor.report.values import HEADLINES, VERDICTS, metric_label, show, show_collapse, show_outlook

_CERTAINTY = {
    "clear": "a clear choice",
    "leaning": "leaning, not clear",
    "tie": "a tie, decided by the default",
    "none": "",
}

MOST_COLUMNS = 20
"""The table of figures has the first so many candidates; all are in the ranking and in the JSON."""

LEGEND = (
    "score: 0 to 100, higher is healthier. range: possible scores, given what is not known.",
    "wins: share of the sampled weightings in which the candidate comes first.",
    "evidence: share of the weight that rests on data. Columns after it: score for each criterion.",
    "out: excluded. ?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.",
    "abandoned: chance of a year without commits by then; collapsed: of under a fifth of this year's.",
    "All numbers: --format json. Definitions and sources: advisor explain NAME.",
)


def render(answer: Recommendation) -> str:
    """Return plain text of at most 125 columns for up to half a dozen candidates."""
    before, after = sections(answer)
    lines = [context(answer), "", headline(answer), *_bullets(before)]
    lines += ["", *text_table(*ranking_rows(answer)), "", *text_table(*headline_rows(answer))]
    for section in after:
        lines += ["", *_bullets([section])]
    record = describe_record(answer.weights)
    lines += ["", *LEGEND, *([record] if record else [])]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def context(answer: Recommendation) -> str:
    """Return the domain, the goal, the day and the facts of an answer in a line."""
    return f"{answer.domain}: goal {answer.goal}, as of {answer.as_of}, snapshot {answer.snapshot}"


def headline(answer: Recommendation) -> str:
    """Return the choice and its certainty in a line."""
    if answer.choice is None:
        return "No suitable candidate: each one is excluded or has too little data."
    return f"Recommendation: {answer.choice} ({_CERTAINTY[answer.certainty]})"


Section = tuple[str, Sequence[str]]


def sections(answer: Recommendation) -> tuple[list[Section], list[Section]]:
    """Return (title, sentences) of the sections before the tables and of those after them."""
    warnings = [
        f"{r.candidate.name}: {VERDICTS[f.verdict]}: {f.text}"
        for r in answer.ranking
        for f in r.findings
        if f.verdict != "prefer" and r.candidate.repository != answer.choice
    ]
    missing = [f"{name}: {why}" for name, why in answer.missing.items()]
    nearest = {flip.kind: flip.text for flip in reversed(answer.flips)}
    flips = [nearest[kind] for kind in ("weight", "value") if kind in nearest]
    before = [
        ("why", answer.reasons),
        ("doubts", answer.doubts),
        ("what would put another candidate first", flips),
        ("your requirements", answer.requirement_notes),
    ]
    after = [
        ("exclusions and warnings for the other candidates", warnings),
        (f"other candidates instead of the default ({answer.default})", answer.leaving_default),
        ("not ranked", missing),
        ("known rivals that were not compared", [f"{name}: {why}" for name, why in answer.rivals.items()]),
        ("facts", answer.sources),
    ]
    return [s for s in before if s[1]], [s for s in after if s[1]]


def _bullets(parts: Sequence[Section]) -> list[str]:
    return [line for title, texts in parts for line in (f"  {title}:", *(f"    - {text}" for text in texts))]


def ranking_rows(answer: Recommendation) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each candidate: rank, score, range, wins, evidence, criteria."""
    names = [c.criterion for c in answer.ranking[0].criteria] if answer.ranking else []
    header = ["candidate", "rank", "score", "range", "wins", "evidence", *names]
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
    """Return the header (empty, then the first candidates) and a row for each headline metric."""
    ranking = answer.ranking[:MOST_COLUMNS]
    rows = []
    for criterion in answer.ranking[0].criteria if answer.ranking else ():
        metrics = [s.metric for s in criterion.metrics]
        for metric in HEADLINES.get(criterion.criterion, tuple(metrics[:2])):
            rows.append([metric_label(metric), *(show(r.measurement(metric)) for r in ranking)])
    for place, horizon in enumerate(answer.ranking[0].outlook if answer.ranking else ()):
        months = horizon.horizon_months
        rows.append([f"abandoned in {months} months", *(show_outlook(r.outlook[place]) for r in ranking)])
        if any(r.outlook[place].collapse is not None for r in ranking):
            cells = (show_collapse(r.outlook[place]) for r in ranking)
            rows.append([f"collapsed in {months} months", *cells])
    rows.append(["backer", *(r.candidate.backer or "?" for r in ranking)])
    rows.append(["kind of backer", *(r.candidate.backer_kind or "?" for r in ranking)])
    return ["", *(r.candidate.name for r in ranking)], rows
