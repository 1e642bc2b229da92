"""A recommendation as Markdown, for an issue or a wiki. Names and other texts from outside are escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.model import Recommendation
from advisor.report.ranking.figures import criterion_tables, other_tables
from advisor.report.ranking.text import RANKING_HEADER, describe_goal, list_legend, ranking_row, sections
from advisor.report.tables import escape_markdown, markdown_table


def render(answer: Recommendation) -> str:
    """Return headings, the recommendation with reasons and doubts, the tables, and who is excluded."""
    choice = escape_markdown(answer.choice) if answer.choice else "no suitable candidate"
    before, after = sections(answer)
    parts = [
        f"# {escape_markdown(answer.domain)}: {choice}",
        f"{escape_markdown(_capitalise(describe_goal(answer)))}, as of {answer.as_of}, {answer.certainty}.",
        *(_list(*section) for section in before),
        "## Ranking",
        markdown_table(RANKING_HEADER, [ranking_row(r) for r in answer.ranking]),
        "## Figures",
        *_figures(answer),
        *(_list(*section) for section in after),
        escape_markdown(" ".join(list_legend(answer))),
    ]
    return "\n\n".join(parts) + "\n"


def _figures(answer: Recommendation) -> Iterator[str]:
    for title, header, rows in (*criterion_tables(answer), *other_tables(answer)):
        yield f"### {escape_markdown(_capitalise(title))}"
        yield markdown_table(header, rows)


def _list(title: str, texts: Sequence[str]) -> str:
    items = "\n".join(f"- {escape_markdown(text)}" for text in texts)
    return f"## {escape_markdown(_capitalise(title))}\n\n{items}"


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
