"""The report on the dependencies of a project; one file for each format."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from advisor.report.formats import DependenciesFormat, Format
from advisor.report.tables import PLAIN_WIDTH

if TYPE_CHECKING:
    from advisor.answers.dependencies.health import Dependencies


def render(
    answer: Dependencies,
    output_format: DependenciesFormat,
    fail_under: float | None = None,
    width: int = PLAIN_WIDTH,
) -> str:
    """Return the report in a format.

    Args:
        answer: the dependencies and their health.
        output_format: how to write it.
        fail_under: score below which a package fails the run; None: no package fails.
        width: columns that a table of plain text may have.
    """
    match output_format:
        case Format.table:
            from advisor.report.dependencies import text

            return text.render(answer, fail_under, width)
        case Format.markdown:
            from advisor.report.dependencies import markdown

            return markdown.render(answer, fail_under)
        case Format.json:
            from advisor.report.dependencies import json

            return json.render(answer, fail_under)
        case Format.csv:
            from advisor.report.dependencies import csv

            return csv.render(answer)
        case Format.html:
            from advisor.report.dependencies import html

            return html.render(answer, fail_under)
        case Format.sarif:
            from advisor.report.dependencies import sarif

            return sarif.render(answer, fail_under)
        case _:
            assert_never(output_format)
