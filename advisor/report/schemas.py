"""The JSON schemas of the reports, from their classes."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from advisor.answers.compare import Comparison
from advisor.answers.coverage import Coverage
from advisor.model import Recommendation
from advisor.report.json import complete_schema
from advisor.report.upgrade import UpgradeReport

REPORTS: dict[str, Any] = {
    "recommendation": Recommendation,
    "comparison": Comparison,
    "coverage": Coverage,
    "upgrade": UpgradeReport,
}
"""The name of a report → its class."""


def report_schema(report: str) -> dict[str, Any]:
    """Return the JSON schema of a report.

    Raises:
        KeyError: there is no such report.
    """
    return complete_schema(report, TypeAdapter(REPORTS[report]).json_schema(mode="serialization"))
