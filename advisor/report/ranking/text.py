"""A recommendation for a terminal or a pipe: the choice, the reasons, the doubts, then the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.answers.reasons import describe_gap
from advisor.model import Ranked, Recommendation
from advisor.report.record import describe_weights
from advisor.report.tables import text_table
from advisor.report.values import (
    CONFIDENCE,
    HEADLINES,
    VERDICTS,
    describe_kind,
    metric_label,
    show,
    show_collapse,
    show_criterion,
    show_outlook,
)

MOST_COLUMNS = 20
"""The table of figures has the first so many candidates; all are in the ranking and in the JSON."""

LEGEND = (
    "score: 0 to 100, higher is healthier. range: possible scores, given what is not known.",
    "wins: share of the sampled weightings in which the candidate comes first.",
    "evidence: share of the weight that rests on data. Columns after it: score for each criterion.",
    "~: not measured; libraries that are alike otherwise have this on average.",
    "out: excluded. ?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.",
    "abandoned: chance of a year without commits by then; collapsed: of under a fifth of this year's.",
    "All numbers: --format json. Definitions and sources: advisor explain NAME.",
)


MOST_ROWS = 20  # candidates in the ranking of a screen
FEWEST_COLUMNS = 4  # candidates side by side, with their warnings, if there are more than the screen shows


def render(answer: Recommendation) -> str:
    """Return plain text of at most 125 columns for up to half a dozen candidates."""
    answer, rest = shorten(answer)
    before, after = sections(answer)
    lines = [context(answer), "", headline(answer), *_bullets(before)]
    lines += ["", *text_table(*ranking_rows(answer)), *rest, "", *text_table(*headline_rows(answer, rest))]
    for section in after:
        lines += ["", *_bullets([section])]
    lines += ["", *LEGEND]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def shorten(answer: Recommendation) -> tuple[Recommendation, list[str]]:
    """Return the answer for a screen, and the lines that say what it leaves out and where to see it."""
    count = len(answer.ranking) - MOST_ROWS
    if count <= 0 and len(answer.missing) <= MOST_ROWS:
        return answer, []
    choice = [r for r in answer.ranking[MOST_ROWS:] if r.repository == answer.choice]
    missing = dict(list(answer.missing.items())[:FEWEST_COLUMNS])
    more = len(answer.missing) - len(missing)
    texts = ([f"{count - len(choice)} more candidates"] if count > 0 else []) + (
        [f"{more} more without a rank"] if more else []
    )
    first, others = answer.ranking[:FEWEST_COLUMNS], answer.ranking[FEWEST_COLUMNS:MOST_ROWS]
    short = replace(
        answer,
        ranking=(*first, *(replace(r, findings=()) for r in others), *choice),
        leaving_default=answer.leaving_default[:FEWEST_COLUMNS],
        missing=missing,
    )
    return short, [f"… and {' and '.join(texts)}; all of them: --format csv or --format json"]


def context(answer: Recommendation) -> str:
    """Return the domain, the goal, the day and the facts of an answer in a line."""
    return f"{answer.domain}: goal {answer.goal}, as of {answer.as_of}, snapshot {answer.snapshot}"


def headline(answer: Recommendation) -> str:
    """Return the choice and its certainty in a line."""
    if answer.choice is None:
        return "No suitable candidate: each one is excluded or has too little data."
    return f"Recommendation: {answer.choice} ({CONFIDENCE[describe_kind(answer)]})"


Section = tuple[str, Sequence[str]]


def sections(answer: Recommendation) -> tuple[list[Section], list[Section]]:
    """Return (title, sentences) of the sections before the tables and of those after them."""
    warnings = [
        f"{r.candidate.name}: {VERDICTS[f.verdict]}: {f.text}"
        for r in answer.ranking
        for f in r.findings
        if f.verdict != "prefer" and r.candidate.repository != answer.choice
    ]
    missing = [f"{name}: {why}" for name, why in list_gaps(answer)]
    nearest = {flip.kind: flip.text for flip in reversed(answer.flips)}
    flips = [nearest[kind] for kind in ("weight", "value", "unknown") if kind in nearest]
    before = [
        ("why", answer.reasons),
        ("doubts", answer.doubts),
        (flips_title(answer), flips),
        ("your requirements", answer.requirement_notes),
    ]
    after = [
        ("exclusions and warnings for the other candidates", warnings),
        (f"other candidates instead of the default ({answer.default})", answer.leaving_default),
        ("not ranked", missing),
        ("known rivals that were not compared", [f"{name}: {why}" for name, why in answer.rivals.items()]),
        ("weights", describe_weights(answer)),
        ("facts", answer.sources),
    ]
    return [s for s in before if s[1]], [s for s in after if s[1]]


def flips_title(answer: Recommendation) -> str:
    """Return the title of the flips, which depends on whether the choice is the first by score."""
    is_first = not answer.ranking or answer.ranking[0].repository == answer.choice
    return f"what would put {'another candidate' if is_first else 'the choice'} first"


def list_gaps(answer: Recommendation) -> list[tuple[str, str]]:
    """Return the candidates without a rank that no rule excludes, each with the reason."""
    gaps = [(r.repository, describe_gap(r)) for r in answer.ranking if r.score is None and not r.excluded]
    return sorted([*gaps, *answer.missing.items()])


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
        *(show_criterion(r, c) for c in r.criteria),
    ]


def headline_rows(answer: Recommendation, rest: Sequence[str] = ()) -> tuple[list[str], list[list[str]]]:
    """Return the header (empty, then the candidates) and a row for each headline metric of the criteria.

    Args:
        answer: the recommendation, from `shorten`.
        rest: the second result of `shorten`; if it left candidates out, only the first are side by side.
    """
    ranking = answer.ranking[: FEWEST_COLUMNS if rest else MOST_COLUMNS]
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
