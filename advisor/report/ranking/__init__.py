"""The report of a recommendation; one file for each format."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, assert_never

from advisor.report.formats import Format, RankingFormat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from advisor.facts.facts_view import FactsView
    from advisor.model import Recommendation


def render(
    answer: Recommendation,
    output_format: RankingFormat,
    width: int | None = None,
    today: date | None = None,
    *,
    full: bool = False,
    views: Sequence[FactsView] = (),
) -> str:
    """Return the report in a format.

    Args:
        answer: the recommendation.
        output_format: how to write it.
        width: columns of the terminal that shows the table with colours and bars; None: plain text.
        today: the day on which a person reads it on a terminal, for the age of the facts.
        full: whether the table shows more than the first screen; the other formats always show everything.
        views: the facts behind the answer, which JSON names.
    """
    match output_format:
        case Format.table if width is not None:
            from advisor.report.ranking import terminal

            return terminal.render(answer, width, today, full=full)
        case Format.table:
            from advisor.report.ranking import text

            return text.render(answer, full=full)
        case Format.markdown:
            from advisor.report.ranking import markdown

            return markdown.render(answer)
        case Format.csv:
            from advisor.report.ranking import csv

            return csv.render(answer)
        case Format.json:
            from advisor.report.json import write_json

            return write_json("recommendation", asdict(answer), views)
        case _:
            assert_never(output_format)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the JSON format."""
    from advisor.report.schemas import report_schema

    return report_schema("recommendation")
