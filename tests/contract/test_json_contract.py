"""The JSON of reports is a contract: what a program reads today, it can read in the next version."""

from __future__ import annotations

import copy
import json
import re
import typing
from dataclasses import fields
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from sample_answer import ANSWER, COVERAGE, PAIR, TWO, UPGRADE, USES
from schema_compatibility import find_breaks
from typer.testing import CliRunner

import advisor
from advisor.answers.adoption import Adoption, Answer, Replay, Use
from advisor.answers.backtest.contests import Contests, Entry, Result, Summary
from advisor.answers.backtest.outcomes import ContestOutcome
from advisor.answers.backtest.ranking import Concordance, Record
from advisor.answers.backtest.run import Backtest, Figure, Window
from advisor.answers.backtest.selection import Share
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.details import Details
from advisor.answers.dependencies.health import Alternative, Dependencies, Exemption, Health
from advisor.answers.libraries import NamedCategory
from advisor.answers.question import Request, read_request
from advisor.answers.recipes import NearRecipe, Recipes
from advisor.cli import app, load
from advisor.domain.contests import Contest
from advisor.domain.domain import available_domains, load_domain
from advisor.facts.manifest import manifest_digest
from advisor.model import ScoredCandidate
from advisor.report import (
    adoption,
    backtest,
    compare,
    contests,
    coverage,
    dependencies,
    domains,
    explain,
    ranking,
    recipes,
    settings,
    upgrade,
)
from advisor.report.formats import Format, ReportName
from advisor.report.json import SCHEMA_VERSION, schema_id
from advisor.report.schemas import REPORTS, report_schema

ROOT = Path(__file__).resolve().parents[2]
KEPT_SCHEMAS = (
    ROOT / "tests" / "contract" / "schemas"
)  # those of the last release; replace them with a release
DAY, NAN = date(2026, 7, 4), float("nan")
PACKAGE = Dependency("pypi", "one", "r.txt", 3, "1.2", ("dev",), 'os_name == "nt"', parents=("two",))
SCORED = ScoredCandidate(**{f.name: getattr(ANSWER.ranking[0], f.name) for f in fields(ScoredCandidate)})
HEALTH = Dependencies(
    ("r.txt",), "balanced", {"activity": 1.0},
    (Health(PACKAGE, "a/one", "a claim", SCORED, DAY, alternatives=(Alternative("two", "b/two", 60.0, "web"),),
            exemption=Exemption("one", "we know", DAY), details=Details("MIT", "its repository", 7, 8, 0, True, 9)),),
    (Health(PACKAGE, unknown="no facts"),),
)  # fmt: skip
RECIPE = NearRecipe(
    "config", "llama", "Llama", "lora", None, "chat", 1, 24.0, "one GPU", "a/one", "x.yaml", "https://…", DAY, DAY,
    5, "abc", ("another model",), 1,
)  # fmt: skip
OUTCOME = ContestOutcome("a/one", "history", 20.0, 30.0, None)
SHARE = Share(NAN, 0.0, 1.0)
FIGURE = Figure(NAN, 0.0, 1.0)
WINDOW = Window(DAY, 9, 0, NAN, {"auc": FIGURE})
REPLAY = Replay(
    "own/project",
    (
        Adoption(Use(PACKAGE, DAY, None, "r.txt", "abc"), "a/one", "web",
                 Answer(DAY, "a/one", "clear", 1, 2, 71.5, 0.05, ("a doubt",)),
                 Answer(DAY, None, "none", None, 0, None, None, ())),
        Adoption(Use(PACKAGE, DAY, DAY, "r.txt", "abc"), "b/two", "web", None,
                 Answer(DAY, "a/one", "tie", 1, 2, 71.5, None, ()), "no facts"),
    ),
    1, 0,
)  # fmt: skip
CONTEST = Contest(
    name="one", question="What now?", day=DAY, why="A change.", text="https://…",
    candidates=tuple(f"{c}/lib" for c in "abcdefgh"),
)  # fmt: skip
REPORTS_AS_TEXT = {
    "recommendation": ranking.render(ANSWER, Format.json),
    "explanation": explain.render(TWO, Format.json),
    "comparison": compare.render(PAIR, Format.json),
    "coverage": coverage.render(COVERAGE, Format.json),
    "recipes": recipes.render(Recipes(DAY, "LoRA", {"a/one": (RECIPE,)}, {"b/two": "no recipe"}), Format.json),
    "dependencies": dependencies.render(HEALTH, Format.json, 80.0),
    "upgrade": upgrade.render(UPGRADE, Format.json, USES),
    "domains": domains.render(
        [load_domain(n) for n in available_domains()], [NamedCategory("l/c", "C", 3)], Format.json
    ),
    "goals": domains.render_goals(load_domain("finetuning"), Format.json),
    "settings": settings.render_json({"goal": settings.SettingEntry("fast", "ADVISOR_GOAL"),
                                      "set": settings.SettingEntry(("models=2",), "pyproject.toml"),
                                      "exceptions": settings.SettingEntry(({"package": "one", "expires": DAY},), "p")}),
    "adoption": adoption.render(REPLAY, Format.json),
    "backtest": backtest.render(
        Backtest("abandoned", 12, 90, 7, 3, (WINDOW,), WINDOW, {"stars": FIGURE}, ({"n": 4, "high": NAN},), None),
        Format.json,
    ),
    "contests": contests.render(
        Contests(
            (Result(CONTEST, DAY, "tie", (Entry(OUTCOME, None, None, False, None, None, 7, ("random",)),), ("b/two",)),),
            (Summary("random", 1, SHARE, SHARE, SHARE, SHARE),), 0, 1,
        ),
        Format.json,
    ),
    "weights-record": backtest.render_record(
        Record((DAY, DAY), 7, {"balanced": {"activity": 1.0}},
               {"abandoned": {"goal balanced": Concordance(0.7, 0.6, 0.8, NAN, NAN, NAN, 9)}}), Format.json,
    ),
}  # fmt: skip


def kept_schema(report):
    return json.loads((KEPT_SCHEMAS / f"{report}-{SCHEMA_VERSION}.schema.json").read_text())


@pytest.mark.parametrize("report", REPORTS)
def test_a_program_for_the_last_release_reads_the_report_of_today(report):
    assert list(find_breaks(kept_schema(report), report_schema(report))) == []
    content = json.loads(REPORTS_AS_TEXT[report])
    for schema in (kept_schema(report), report_schema(report)):
        jsonschema.Draft202012Validator(schema).validate(content)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda s: s["properties"].pop("choice"), ".choice: is gone"),
        (lambda s: s["required"].remove("ranking"), ".ranking: may be missing"),
        (lambda s: s["$defs"]["Ranked"]["properties"].pop("wins"), ".ranking[].wins: is gone"),
        (
            lambda s: s["$defs"]["Measurement"]["properties"]["n"]["anyOf"].append({"type": "string"}),
            "type string",
        ),
        (
            lambda s: s["$defs"]["Ranked"]["properties"]["low"].update(type="string"),
            "type string in place of number",
        ),
        (lambda s: s["properties"]["certainty"]["enum"].append("maybe"), "other values than"),
        (lambda s: s["properties"]["schema_version"].update(const=2), "const 2 in place of 1"),
        (lambda s: s["properties"]["as_of"].pop("format"), "format None in place of date"),
    ],
)
def test_a_change_that_breaks_a_program_is_found(change, phrase):
    new = copy.deepcopy(report_schema("recommendation"))
    change(new)
    assert any(phrase in text for text in find_breaks(report_schema("recommendation"), new))


def test_a_new_key_breaks_nothing():
    new = copy.deepcopy(report_schema("recommendation"))
    new["properties"]["more"] = {"type": "string"}
    new["required"].append("more")
    assert list(find_breaks(report_schema("recommendation"), new)) == []


def test_every_report_names_its_schema_and_the_version_that_wrote_it():
    for report, text in REPORTS_AS_TEXT.items():
        content = json.loads(text)
        assert list(content)[:4] == ["schema", "schema_version", "advisor_version", "generated_from"]
        assert (content["schema"], content["advisor_version"]) == (schema_id(report), advisor.__version__)
        assert report_schema(report)["$id"] == schema_id(report)


def test_each_report_that_the_code_writes_has_a_class_a_schema_and_a_place_in_the_documentation():
    assert set(typing.get_args(ReportName)) == set(REPORTS) == set(REPORTS_AS_TEXT)
    source = "".join(path.read_text() for path in (ROOT / "advisor").rglob("*.py"))
    assert set(re.findall(r'write_json\(\s*"([\w-]+)"', source)) == set(REPORTS)
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    for report in REPORTS:
        assert f"| `{schema_id(report)}` | [{report}]({report}.schema.json) |" in page


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("explanation", ["explain", "trl", "--store", "bundled"]),
        ("dependencies", ["rank", "--from", "requirements.txt", "--store", "bundled", "--fail-under", "1"]),
        ("domains", ["domains"]),
        ("goals", ["goals", "--domain", "web-frameworks"]),
        ("settings", ["config"]),
    ],
)
def test_a_command_writes_the_report_of_the_schema(report, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text("httpx==0.27\nnobody-knows-this ; os_name == 'nt'\n./local\n")
    Path("pyproject.toml").write_text(
        '[tool.advisor]\ngoal = "balanced"\nset = ["activity=2"]\n'
        'exceptions = [{ package = "one", reason = "we know", expires = 2026-12-01 }]\n'
    )
    load(None)
    process = CliRunner().invoke(app, [*words, "--format", "json"])
    content = json.loads(process.stdout)
    jsonschema.Draft202012Validator(report_schema(report)).validate(content)
    assert content["schema"] == schema_id(report)


def test_a_report_names_the_facts_that_it_is_generated_from():
    question = read_request(Request())
    content = json.loads(ranking.render(ANSWER, Format.json, views=question.views))
    origin = {
        "store": "finetuning",
        "as_of": str(question.as_of),
        "manifest_sha256": manifest_digest(question.store.path),
    }
    assert content["generated_from"] == [origin]
    jsonschema.Draft202012Validator(report_schema("recommendation")).validate(content)


def test_the_changelog_of_the_schema_has_this_version():
    assert f"### Version {SCHEMA_VERSION}\n" in (ROOT / "docs" / "reference" / "json.md").read_text()
