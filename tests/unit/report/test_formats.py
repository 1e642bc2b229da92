"""Each command offers exactly the formats of its report, and each of them renders."""

from __future__ import annotations

import re
import typing

import pytest
from sample_answer import ANSWER, COVERAGE, PAIR, TWO, UPGRADE
from typer.testing import CliRunner

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import Dependencies, Health
from advisor.cli import app, load
from advisor.errors import InputError
from advisor.report import compare, coverage, dependencies, explain, formats, ranking, upgrade
from advisor.report.formats import Format

PACKAGE = Health(Dependency("pypi", "lost", "r.txt"), unknown="no facts")
REPORTS = {
    "ranking": (ranking.render, ANSWER, formats.RankingFormat),
    "dependencies": (
        dependencies.render, Dependencies(("r.txt",), "balanced", {}, (), (PACKAGE,)), formats.DependenciesFormat,
    ),
    "explain": (explain.render, TWO, formats.ExplanationFormat),
    "compare": (compare.render, PAIR, formats.ComparisonFormat),
    "coverage": (coverage.render, COVERAGE, formats.CoverageFormat),
    "upgrade": (upgrade.render, UPGRADE, formats.UpgradeFormat),
}  # fmt: skip
CHOICES = {
    "rank": list(Format),
    "explain": typing.get_args(formats.ExplanationFormat),
    "compare": typing.get_args(formats.ComparisonFormat),
    "coverage": typing.get_args(formats.CoverageFormat),
    "upgrade": typing.get_args(formats.UpgradeFormat),
    "backtest": typing.get_args(formats.ContestsFormat),
    "bench": typing.get_args(formats.BenchFormat),
}
ARGUMENTS = {
    "upgrade": ["trl", "--from", "0.9"],
    "explain": ["trl"],
    "compare": ["trl", "unsloth"],
    "backtest": ["--panel", "none.parquet"],
}


@pytest.fixture(autouse=True)
def commands():
    load(None)


def run(*arguments):
    """Run a command in this process; return its result."""
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("name", "output_format"),
    [(name, f) for name, (_, _, choices) in REPORTS.items() for f in typing.get_args(choices)],
)
def test_each_format_of_a_report_renders(name, output_format):
    render, answer, _ = REPORTS[name]
    assert render(answer, output_format).endswith("\n")


@pytest.mark.parametrize("name", REPORTS)
def test_a_format_that_a_report_lacks_is_a_type_error_of_ours(name):
    render, answer, choices = REPORTS[name]
    for output_format in set(Format) - set(typing.get_args(choices)):
        with pytest.raises(AssertionError, match="unreachable"):
            render(answer, output_format)


@pytest.mark.parametrize("command", CHOICES)
def test_help_offers_exactly_the_formats_of_the_report(command):
    (choices,) = re.findall(r"--format\s+[<\[]([a-z|]+)", run(command, "--help").output)
    assert choices.split("|") == [str(f) for f in CHOICES[command]]


@pytest.mark.parametrize(
    ("command", "output_format"),
    [(command, f) for command, choices in CHOICES.items() for f in Format if f not in choices],
)
def test_a_command_refuses_a_format_that_it_does_not_offer(command, output_format):
    result = run(command, *ARGUMENTS.get(command, []), "--format", output_format.value)
    assert result.exit_code == 2 and f"'{output_format}' is not one of 'table'" in result.output


@pytest.mark.parametrize(("arguments", "message", "formats_of_report"), [
    (["--all", "--format", "html"], "--all has no format html", formats.RankingFormat),
    (["--all", "--format", "sarif"], "--all has no format sarif", formats.RankingFormat),
])  # fmt: skip
def test_rank_refuses_a_format_that_this_kind_of_ranking_lacks(arguments, message, formats_of_report):
    error = run("rank", *arguments).exception
    assert isinstance(error, InputError) and error.exit_code == 2
    assert str(error) == f"{message}: use one of {', '.join(typing.get_args(formats_of_report))}"


@pytest.mark.parametrize("output_format", ["markdown", "csv"])
def test_the_record_of_a_panel_lacks_formats_of_contests(output_format):
    error = run("backtest", "--panel", "none.parquet", "--format", output_format).exception
    choices = ", ".join(typing.get_args(formats.BacktestFormat))
    assert str(error) == f"--format {output_format} needs --contests; the formats of a panel: {choices}"
