"""The formats of all reports, and which of them each report has.

The command line offers exactly these: a `Literal` below is the type of a report's format and the list of
choices of its command's `--format`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Format(StrEnum):
    """How a report is written."""

    table = "table"
    json = "json"
    markdown = "markdown"
    csv = "csv"
    html = "html"
    sarif = "sarif"


RankingFormat = Literal[Format.table, Format.json, Format.markdown, Format.csv]
DependenciesFormat = Literal[
    Format.table, Format.json, Format.markdown, Format.csv, Format.html, Format.sarif
]
ExplanationFormat = Literal[Format.table, Format.json, Format.markdown]
ComparisonFormat = Literal[Format.table, Format.json, Format.markdown]
CoverageFormat = Literal[Format.table, Format.json, Format.markdown, Format.csv]
RecipesFormat = Literal[Format.table, Format.json, Format.markdown, Format.csv]
UpgradeFormat = Literal[Format.table, Format.json, Format.markdown, Format.csv]
BacktestFormat = Literal[Format.table, Format.json]
ContestsFormat = Literal[Format.table, Format.json, Format.markdown, Format.csv]
AdoptionFormat = Literal[Format.table, Format.json]
DomainsFormat = Literal[Format.table, Format.json]
BenchFormat = Literal[Format.table, Format.markdown]

ReportName = Literal[
    "recommendation", "explanation", "comparison", "coverage", "recipes", "upgrade", "dependencies",
    "domains", "goals", "settings", "adoption", "backtest", "contests", "weights-record",
]  # fmt: skip
"""The reports that have JSON; the name is in the ``$id`` of the schema."""
