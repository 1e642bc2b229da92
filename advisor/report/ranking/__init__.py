"""The report of a recommendation; one file for each format."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, assert_never

from advisor.report.formats import Format, RankingFormat

if TYPE_CHECKING:
    from datetime import date

    from advisor.model import Recommendation


def render(
    answer: Recommendation,
    output_format: RankingFormat,
    width: int | None = None,
    today: date | None = None,
) -> str:
    """Return the report in a format.

    Args:
        answer: the recommendation.
        output_format: how to write it.
        width: columns of the terminal that shows the table with colours and bars; None: plain text.
        today: the day on which a person reads it on a terminal, for the age of the facts.
    """
    match output_format:
        case Format.table if width is not None:
            from advisor.report.ranking import terminal

            return terminal.render(answer, width, today)
        case Format.table:
            from advisor.report.ranking import text

            return text.render(answer)
        case Format.markdown:
            from advisor.report.ranking import markdown

            return markdown.render(answer)
        case Format.csv:
            from advisor.report.ranking import csv

            return csv.render(answer)
        case Format.json:
            from advisor.report.json import write_json

            return write_json(asdict(answer))
        case _:
            assert_never(output_format)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the JSON format."""
    from pydantic import TypeAdapter

    from advisor.model import Recommendation

    return TypeAdapter(Recommendation).json_schema(mode="serialization")
