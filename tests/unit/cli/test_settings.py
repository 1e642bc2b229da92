"""Defaults from pyproject.toml and from variables: their order, what they apply to, and who says so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from advisor.cli import main
from advisor.cli.settings import OPTIONS, Setting, read_settings
from advisor.errors import ConfigError

TABLE = """
[project]
name = "mine"
[tool.advisor]
goal = "long-lived"
as-of = 2026-07-01
set = ["models=5", "activity=2"]
rules = "rules.toml"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a table of settings; commands run in a folder below it."""
    (tmp_path / "pyproject.toml").write_text(TABLE)
    below = tmp_path / "package"
    below.mkdir()
    (below / "pyproject.toml").write_text("[project]\nname = 'no settings here'\n")
    monkeypatch.chdir(below)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["advisor", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


def test_a_variable_comes_before_the_nearest_table(project):
    settings = read_settings(
        Path.cwd(), {"ADVISOR_GOAL": "fast", "ADVISOR_SET": "issues=1, backing=2", "ADVISOR_STORE": ""}
    )
    file = str(project / "pyproject.toml")
    assert settings == {
        "goal": Setting("fast", "ADVISOR_GOAL"),
        "as-of": Setting("2026-07-01", file),
        "set": Setting(("issues=1", "backing=2"), "ADVISOR_SET"),
        "rules": Setting(str(project / "rules.toml"), file),
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[tool.advisor]\ngaol = "fast"', "tool.advisor: unknown setting 'gaol' (did you mean goal?)"),
        ("[tool.advisor]\ngoal = 5", "tool.advisor.goal: expected a text"),
        ("[tool.advisor]\nset = 'models=5'", "tool.advisor.set: expected a list of texts"),
        ("tool.advisor = 3", "tool.advisor: expected a table"),
        ("[tool.advisor\n", "Expected ']'"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, table, message):
    (tmp_path / "pyproject.toml").write_text(table)
    with pytest.raises(ConfigError, match=r"pyproject\.toml: ") as raised:
        read_settings(tmp_path, {})
    assert message in str(raised.value)


def test_a_broken_pyproject_without_settings_is_nobodys_business(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project")
    assert read_settings(tmp_path, {}) == {}


def test_config_shows_each_setting_and_its_origin(project, run, monkeypatch):
    monkeypatch.setenv("ADVISOR_GOAL", "fast")
    code, text, _ = run("config")
    assert code == 0
    assert [line.partition(":")[0] for line in text.splitlines()] == list(OPTIONS)
    assert text.splitlines()[:3] == [
        "domain: not set",
        "goal: fast (ADVISOR_GOAL)",
        f"as-of: 2026-07-01 ({project / 'pyproject.toml'})",
    ]
    settings = json.loads(run("config", "--format", "json")[1])["settings"]
    assert settings["goal"] == {"value": "fast", "origin": "ADVISOR_GOAL"}
    assert settings["set"] == {"value": ["models=5", "activity=2"], "origin": str(project / "pyproject.toml")}


def test_a_typed_option_comes_before_a_setting(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVISOR_GOAL", "long-lived")
    monkeypatch.setenv("ADVISOR_FORMAT", "json")
    assert json.loads(run("rank")[1])["goal"] == "long-lived"
    assert json.loads(run("rank", "--goal", "balanced")[1])["goal"] == "balanced"
    assert "goal long-lived" in run("rank", "--format", "table")[1]


def test_a_wrong_setting_is_named_with_its_origin(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVISOR_GOAL", "fame")
    code, _, messages = run("rank")
    assert code == 2
    assert messages.startswith("advisor: unknown goal 'fame'; known: ")
    assert messages.endswith(" (goal is set in ADVISOR_GOAL)\n")


def test_a_domain_of_the_settings_gives_way_to_libraries_that_it_does_not_have(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVISOR_DOMAIN", "web-frameworks")
    assert run("rank")[1].startswith("web-frameworks: ")
    assert run("rank", "flask", "django")[1].startswith("web-frameworks: ")
    assert run("rank", "trl", "unsloth")[1].startswith("finetuning: ")
    assert run("rank", "--category", "http-clients")[0] in {0, 3}


def test_settings_leave_a_format_alone_that_a_command_lacks_and_commands_that_write(
    run, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVISOR_FORMAT", "csv")
    monkeypatch.setenv("ADVISOR_STORE", "nowhere")
    assert run("goals")[1].startswith("finetuning: ")
    code, text, messages = run("init", "mine", "--candidate", "a/b")
    assert (code, messages) == (0, "") and "written: mine.toml" in text
    assert run("rank")[0] == 2, "no facts there"


def test_quiet_and_verbose_stand_before_or_after_the_command(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.txt"
    for words in (["-q", "rank"], ["rank", "-q"]):
        assert run(*words, "--as-of", "today", "-o", str(report)) == (0, "", "")
    assert report.read_text().startswith("finetuning: goal balanced, as of 2026-07-24")
    code, text, messages = run("-v", "rank", "--as-of", "TODAY", "-o", str(report))
    assert (code, text) == (0, "")
    assert messages.splitlines() == [
        "advisor: domain finetuning, facts in the bundled snapshot",
        "advisor: the newest facts answer for today; the report says their day",
        f"advisor: written: {report}",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["rank", "--format", "json"],
        ["rank", "--format", "csv"],
        ["rank", "--format", "markdown"],
        ["explain", "trl", "--metric", "stars"],
        ["compare", "trl", "unsloth"],
        ["coverage", "--format", "csv"],
        ["domains"],
        ["goals", "--format", "json"],
        ["config"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_a_report_in_a_file_is_the_one_of_a_pipe(run, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    code, text, _ = run(*words)
    assert (code, run(*words, "--output", "sub/report")[1]) == (0, "")
    assert (tmp_path / "sub" / "report").read_text() == text != ""


def test_an_output_that_is_no_file_is_written_and_not_replaced(run, tmp_path):
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    assert run("goals", "-o", str(link))[0] == 0
    assert link.is_symlink() and Path("/dev/null").is_char_device()


def test_explain_shows_only_the_metrics_that_are_named(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = run(
        "explain", "https://github.com/huggingface/TRL", "--metric", "Stars", "--metric", "open_issues"
    )[1]
    assert [line.rpartition("(")[2] for line in text.splitlines() if " = " in line] == [
        "stars)",
        "open_issues)",
    ]
    assert "measured, but not part of the score" in text
