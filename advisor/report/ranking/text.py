"""The lines of a recommendation: the answer for one screen, and the whole report behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from advisor.answers.reasons import describe_gap
from advisor.model import Flip, Ranked, Recommendation
from advisor.population.figures import read_move
from advisor.report.ranking.figures import criterion_tables, other_tables
from advisor.report.record import describe_weights
from advisor.report.tables import PLAIN_WIDTH, text_table
from advisor.report.values import CONFIDENCE, VERDICTS, describe_kind, show_wins

TOP = 5
"""The first screen has the first so many candidates."""

MOST_ROWS = 20
"""The whole report has the first so many candidates; all are in CSV, JSON and Markdown."""

FEWEST_WARNINGS = 4
"""So many candidates have their warnings in a report that leaves candidates out, and on the first screen the
reason of their exclusion."""

SHORT_LEGEND = (
    "score: 0 to 100, higher is healthier. range: what is possible.",
    "wins: share of the sampled weightings (and unknown values) in which it comes first.",
    "Add --full for all candidates, their figures, warnings and sources.",
)
LEGEND = (
    "score: 0 to 100, higher is healthier. range: possible scores, given what is not known.",
    SHORT_LEGEND[1],
    "evidence: share of the weight that rests on data.",
    "~: not measured; libraries that are alike otherwise have this on average.",
    "out: excluded. ?: not enough data. n/a: not meaningful here. [a–b]: lower and upper bound.",
    "abandoned: chance of a year without commits by then; collapsed: of under a fifth of this year's.",
    "All numbers: --format json. Definitions and sources: advisor explain NAME.",
)


class Line(NamedTuple):
    """A line of a report.

    Attributes:
        style: what it is: ``context``, ``choice``, ``title``, ``point``, ``header``, ``table``, ``first``
            (the row of the choice), ``out`` (that of an excluded candidate), ``note``, ``legend`` or empty.
        text: its words; those of a table do not wrap.
        indent: spaces before the words.
        candidate: whose row of the ranking it is.
    """

    style: str
    text: str = ""
    indent: int = 0
    candidate: Ranked | None = None

    @property
    def plain(self) -> str:
        """The line as in a file."""
        return (" " * self.indent + self.text).rstrip()


def list_legend(answer: Recommendation) -> list[str]:
    """Return the lines that explain the tables of an answer."""
    if all(r.wins is not None for r in answer.ranking):
        return [*LEGEND]
    return [*LEGEND, "not drawn: only the candidates with the highest scores are in the sampled weightings."]


def render(answer: Recommendation, *, full: bool = False) -> str:
    """Return plain text; sentences are lines of any length, tables are at most 80 columns wide."""
    return "\n".join(line.plain for line in lines(answer, PLAIN_WIDTH, full=full)) + "\n"


def lines(answer: Recommendation, width: int, *, full: bool, age: str = "") -> Iterator[Line]:
    """Yield the lines of the first screen, or with ``full`` of the whole report.

    Args:
        answer: the recommendation.
        width: columns that a table may have.
        full: whether to show everything.
        age: the age of the facts in words.
    """
    before, after = sections(answer)
    if not full:  # of what would change the choice, the nearest is enough, unless the user tries out weights
        few = [f.text for f in answer.flips if answer.has_own_weights and f.kind == "weight"]
        before = [
            (title, (few or texts[:1]) if title == flips_title(answer) else texts) for title, texts in before
        ]
    yield Line("context", context(answer, age))
    yield Line("")
    yield Line("choice", headline(answer))
    for section in before:
        yield from _section(*section)
    yield Line("")
    if full:
        yield from _whole_report(answer, width)
    else:
        yield from _first_screen(answer, width, after)


def _first_screen(answer: Recommendation, width: int, after: Sequence[Section]) -> Iterator[Line]:
    top = [r for r in answer.ranking if r.rank is not None][:TOP] or answer.ranking[:TOP]
    choice = answer.first_choice
    if choice and choice not in top:  # the default, in a tie
        top = [*top, choice]
    yield from _ranking(answer, top, width)
    yield Line("")
    yield from (Line("note", text) for text in _left_out(answer, top))
    yield from (Line("note", text) for title, texts in after if title == "facts" for text in texts[:1])
    yield from (Line("legend", text) for text in SHORT_LEGEND)


def _left_out(answer: Recommendation, top: Sequence[Ranked]) -> Iterator[str]:
    """Yield the names of the candidates that the first screen does not show."""
    rest = [r for r in answer.ranking if r not in top]
    gaps = [_describe_gap(r) for r in rest if r.score is None and not r.excluded]
    excluded = [r for r in rest if r.excluded]
    further = [r.candidate.name for r in excluded[FEWEST_WARNINGS:]]
    groups = (
        ("lower ranks", [r.candidate.name for r in rest if r.rank is not None]),
        ("excluded", [*map(_describe_exclusion, excluded[:FEWEST_WARNINGS]), *further]),
        ("not enough data", [*gaps, *(name.split("/")[-1] for name in answer.missing)]),
        ("not compared (no facts)", [name.split("/")[-1] for name in answer.rivals]),
    )
    for title, names in groups:
        if names:
            more = f" and {len(names) - MOST_ROWS} more" if len(names) > MOST_ROWS else ""
            yield f"{title}: {', '.join(names[:MOST_ROWS])}{more}"


def _describe_exclusion(r: Ranked) -> str:
    """Return the name of an excluded candidate with the beginning of the reason."""
    reason = next((f.text for f in r.findings if f.verdict == "exclude"), "")
    return f"{r.candidate.name} ({reason.partition(':')[0].rstrip('.')})" if reason else r.candidate.name


def _describe_gap(r: Ranked) -> str:
    """Return the name of a candidate without a score, with the beginning of the reason if it is known."""
    reason = read_move(r.measurements).partition(":")[0]
    return f"{r.candidate.name} ({reason})" if reason else r.candidate.name


def _whole_report(answer: Recommendation, width: int) -> Iterator[Line]:
    short, rest = shorten(answer)
    yield from _ranking(short, short.ranking, width)
    yield from (Line("note", text) for text in rest)
    for title, header, rows in (*criterion_tables(short), *other_tables(short)):
        yield Line("")
        yield Line("title", title)
        yield from _table(header, rows, width)
    for section in sections(short)[1]:
        yield Line("")
        yield from _section(*section)
    yield Line("")
    yield from (Line("legend", text) for text in list_legend(answer))


def shorten(answer: Recommendation) -> tuple[Recommendation, list[str]]:
    """Return the answer with few enough candidates to read, and the lines that say what it leaves out."""
    count = len(answer.ranking) - MOST_ROWS
    if count <= 0 and len(answer.missing) <= MOST_ROWS:
        return answer, []
    choice = [r for r in answer.ranking[MOST_ROWS:] if r.repository == answer.choice]
    missing = dict(list(answer.missing.items())[:FEWEST_WARNINGS])
    more = len(answer.missing) - len(missing)
    texts = ([f"{count - len(choice)} more candidates"] if count > 0 else []) + (
        [f"{more} more without a rank"] if more else []
    )
    first, others = answer.ranking[:FEWEST_WARNINGS], answer.ranking[FEWEST_WARNINGS:MOST_ROWS]
    short = replace(
        answer,
        ranking=(*first, *(replace(r, findings=()) for r in others), *choice),
        leaving_default=answer.leaving_default[:FEWEST_WARNINGS],
        missing=missing,
    )
    return short, [f"… and {' and '.join(texts)}; all of them: --format csv or --format json"]


def describe_goal(answer: Recommendation) -> str:
    """Return the goal, or that the weights are the user's own and from which goal they come."""
    return f"own weights (from {answer.goal})" if answer.has_own_weights else f"goal {answer.goal}"


def context(answer: Recommendation, age: str = "") -> str:
    """Return the domain, the goal, the day with its age, and the facts of an answer in a line."""
    return f"{answer.domain}: {describe_goal(answer)}, as of {answer.as_of}{age}, snapshot {answer.snapshot}"


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
    flips = [flip.text for flip in list_nearest_flips(answer)]
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


def list_nearest_flips(answer: Recommendation) -> list[Flip]:
    """Return the flips of weights, and the nearest of each other kind: more of them hide the ranking."""
    others = {flip.kind: flip for flip in reversed(answer.flips) if flip.kind != "weight"}
    return [f for f in answer.flips if f.kind == "weight" or f is others[f.kind]]


def flips_title(answer: Recommendation) -> str:
    """Return the title of the flips, which depends on whether the choice is the first by score."""
    is_first = not answer.ranking or answer.ranking[0].repository == answer.choice
    return f"what would put {'another candidate' if is_first else 'the choice'} first"


def list_gaps(answer: Recommendation) -> list[tuple[str, str]]:
    """Return the candidates without a rank that no rule excludes, each with the reason."""
    gaps = [(r.repository, describe_gap(r)) for r in answer.ranking if r.score is None and not r.excluded]
    return sorted([*gaps, *answer.missing.items()])


def _section(title: str, texts: Sequence[str]) -> Iterator[Line]:
    yield Line("title", f"{title}:", 2)
    yield from (Line("point", f"- {text}", 4) for text in texts)


def _ranking(answer: Recommendation, ranking: Sequence[Ranked], width: int) -> Iterator[Line]:
    table = list(_table(RANKING_HEADER, [ranking_row(r) for r in ranking], width))
    head = len(table) - len(ranking)
    yield from table[:head]
    for line, r in zip(table[head:], ranking, strict=True):
        style = "first" if r.repository == answer.choice else "out" if r.excluded else line.style
        yield line._replace(style=style, candidate=r)


RANKING_HEADER = ("candidate", "rank", "score", "range", "wins", "evidence")


def ranking_row(r: Ranked) -> list[str]:
    """Return the cells of a candidate under `RANKING_HEADER`."""
    return [
        r.candidate.name,
        str(r.rank) if r.rank is not None else "out" if r.excluded else "?",
        "?" if r.score is None else f"{r.score:.0f}",
        f"{r.low:.0f}–{r.high:.0f}",
        show_wins(r),
        f"{r.coverage:.0%}",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[Line]:
    for number, text in enumerate(text_table(header, rows, width)):
        yield Line("header" if number == 0 else "table", text)
