"""The JSON schemas of the reports, from their classes."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from advisor.answers.adoption import Replay
from advisor.answers.backtest.contests import Contests
from advisor.answers.backtest.ranking import Record
from advisor.answers.backtest.run import Backtest
from advisor.answers.compare import Comparison
from advisor.answers.coverage import Coverage
from advisor.answers.recipes import Recipes
from advisor.model import Recommendation
from advisor.report.dependencies.json import DependenciesReport
from advisor.report.domains import DomainsReport, GoalsReport
from advisor.report.explain import ExplanationReport
from advisor.report.formats import ReportName
from advisor.report.json import complete_schema
from advisor.report.settings import SettingsReport
from advisor.report.upgrade import UpgradeReport

REPORTS: dict[ReportName, Any] = {
    "recommendation": Recommendation,
    "explanation": ExplanationReport,
    "comparison": Comparison,
    "coverage": Coverage,
    "recipes": Recipes,
    "upgrade": UpgradeReport,
    "dependencies": DependenciesReport,
    "domains": DomainsReport,
    "goals": GoalsReport,
    "settings": SettingsReport,
    "adoption": Replay,
    "backtest": Backtest,
    "contests": Contests,
    "weights-record": Record,
}
"""The name of a report → its class."""

_WITH_GAPS = ("backtest", "contests", "weights-record")
"""Reports whose numbers are NaN where they are not defined; JSON has null there."""


def report_schema(report: ReportName) -> dict[str, Any]:
    """Return the JSON schema of a report."""
    schema = TypeAdapter(REPORTS[report]).json_schema(mode="serialization")
    return complete_schema(report, _allow_gaps(schema) if report in _WITH_GAPS else schema)


def _allow_gaps(schema: Any) -> Any:
    """Return the schema with null in place of any number."""
    if isinstance(schema, list):
        return [_allow_gaps(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number":
        return {
            **{k: v for k, v in schema.items() if k != "type"},
            "anyOf": [{"type": "number"}, {"type": "null"}],
        }
    return {key: _allow_gaps(part) for key, part in schema.items()}
