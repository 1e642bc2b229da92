"""Every CSV of the project goes through one writer, and no cell of it runs as a formula."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from sample_answer import ANSWER, COVERAGE, FIRST

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import Dependencies, Health
from advisor.report import coverage, dependencies, ranking
from advisor.report.backtest import render_forecasts
from advisor.report.csv import write_csv
from advisor.report.formats import Format

DAY = date(2026, 7, 4)


def ranking_cell(text):
    """The CSV of a recommendation with this text as a reason."""
    measurement = replace(FIRST.measurements[0], reason=text)
    answer = replace(ANSWER, ranking=(replace(FIRST, measurements=(measurement,)),))
    return ranking.render(answer, Format.csv), "reason"


def dependencies_cell(text):
    """The CSV of a dependency with this text as its name."""
    package = Health(Dependency("npm", text, "package.json"), unknown="no facts")
    answer = Dependencies(("package.json",), "balanced", {}, (), (package,))
    return dependencies.render(answer, Format.csv), "package"


def coverage_cell(text):
    """The CSV of model coverage with this text as a file name of the evidence."""
    cell = replace(COVERAGE.cells[0], path=text)
    return coverage.render(replace(COVERAGE, cells=(cell,)), Format.csv), "path"


def forecast_cell(text):
    """The CSV of a forecast for a repository of this name."""
    members = pd.DataFrame(
        {"repository": [text], "as_of": [pd.Timestamp(DAY)], "probability_inactive": [0.25]}
    )
    return render_forecasts(members), "repository"


def plain_cell(text):
    """A CSV of one cell."""
    return write_csv(["text"], [[text]]), "text"


WRITERS = [ranking_cell, dependencies_cell, coverage_cell, forecast_cell, plain_cell]
FORMULAS = [
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-2+3",
    "\t=1",
    "\r=1",
    "\n=1",
    "@SUM(1,2)",
    "-2.5",
    "=1,=2",
]
HARMLESS = ["a,=b", "a@b.example", "1+1", "x\r=1", "two\nlines", 'a "quote"', "o/n", "3 - 2", "", "a;=b"]


def read_row(text):
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    return row


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_looks_like_a_formula_gets_an_apostrophe(write, text):
    content, column = write(text)
    assert read_row(content)[column] == f"'{text}"


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_stays_as_it_is(write, text):
    content, column = write(text)
    assert read_row(content)[column] == text


def test_numbers_stay_numbers_and_none_is_empty():
    assert write_csv(["a", "b", "c", "d"], [[-2.5, -3, None, True]]) == "a,b,c,d\n-2.5,-3,,True\n"


def test_lines_end_with_a_line_feed():
    assert write_csv(["a"], [["x"], ["y\r"]]) == 'a\nx\n"y\r"\n'
