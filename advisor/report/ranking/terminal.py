"""A recommendation for a person at a terminal: as in `text`, with colours, bars and tables that wrap."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from advisor.report.ranking.text import LEGEND, context, headline, headline_rows, ranking_rows, sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from rich.console import RenderableType

    from advisor.model import Ranked, Recommendation

_STYLES = {"clear": "green", "leaning": "yellow", "tie": "yellow", "none": "red"}
_BAR = 20
_WIDE = 125  # columns that the ranking needs with bars


def render(answer: Recommendation, width: int = 100, today: date | None = None) -> str:
    """Return the report with terminal codes, wrapped to ``width`` columns.

    The environment variable ``NO_COLOR`` turns colours off. Values are never read as rich markup.
    """
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, highlight=False)
    for part in _parts(answer, width, today):
        console.print(part)
    return out.getvalue()


def _parts(answer: Recommendation, width: int, today: date | None) -> Iterator[RenderableType]:
    style = _STYLES[answer.certainty]
    before, after = sections(answer)
    days = (today - answer.as_of).days if today else 0
    age = f" ({days} days old)" if days > 0 else ""
    yield Panel(Text(headline(answer), style="bold"), title=Text(context(answer) + age), border_style=style)
    for section in before:
        yield from _section(*section)
    yield _ranking(answer, with_bars=width >= _WIDE)
    yield Text()
    yield _figures(answer)
    yield Text()
    for section in after:
        yield from _section(*section)
    yield Text("\n".join(LEGEND), style="dim")


def _section(title: str, texts: Sequence[str]) -> Iterator[RenderableType]:
    yield Text(title, style="bold")
    points = Table.grid(padding=(0, 1))
    for text in texts:
        points.add_row("•", Text(text))
    yield Padding(points, (0, 0, 1, 1))


def _ranking(answer: Recommendation, *, with_bars: bool) -> Table:
    header, rows = ranking_rows(answer)
    ranking = _table([*header, *([""] if with_bars else [])])
    for r, row in zip(answer.ranking, rows, strict=True):
        style = "bold" if r.candidate.repository == answer.choice else "dim" if r.excluded else ""
        bar = [_bar(r)] if with_bars else []
        ranking.add_row(*map(Text, row), *bar, style=style)
    return ranking


def _bar(candidate: Ranked) -> Text:
    """Return a bar from 0 to 100: a line for the range of the score, a mark for the score itself."""
    low, high = (round(bound / 100 * (_BAR - 1)) for bound in (candidate.low, candidate.high))
    cells = ["─" if low <= i <= high else " " for i in range(_BAR)]
    if candidate.score is not None:
        cells[round(candidate.score / 100 * (_BAR - 1))] = "●"
    return Text("".join(cells))


def _figures(answer: Recommendation) -> Table:
    header, rows = headline_rows(answer)
    figures = _table(header)
    for row in rows:
        figures.add_row(*map(Text, row))
    return figures


def _table(header: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(header):
        table.add_column(
            Text(name), justify="left" if i == 0 or not name else "right", no_wrap=i == 0, overflow="fold"
        )
    return table
