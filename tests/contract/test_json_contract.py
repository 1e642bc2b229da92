"""The JSON of reports is a contract: what a program reads today, it can read in the next version."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from sample_answer import ANSWER, COVERAGE, PAIR, TWO, UPGRADE, USES
from schema_compatibility import find_breaks

import advisor
from advisor.answers.question import Request, read_request
from advisor.facts.manifest import manifest_digest
from advisor.report import compare, coverage, explain, ranking, upgrade
from advisor.report.formats import Format
from advisor.report.json import SCHEMA_VERSION, schema_id
from advisor.report.schemas import REPORTS, report_schema

ROOT = Path(__file__).resolve().parents[2]
KEPT_SCHEMAS = (
    ROOT / "tests" / "contract" / "schemas"
)  # those of the last release; replace them with a release
REPORTS_AS_TEXT = {
    "recommendation": ranking.render(ANSWER, Format.json),
    "comparison": compare.render(PAIR, Format.json),
    "coverage": coverage.render(COVERAGE, Format.json),
    "upgrade": upgrade.render(UPGRADE, Format.json, USES),
}


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
    texts = {**REPORTS_AS_TEXT, "explanation": explain.render(TWO, Format.json)}
    for report, text in texts.items():
        content = json.loads(text)
        assert list(content)[:4] == ["schema", "schema_version", "advisor_version", "generated_from"]
        assert (content["schema"], content["advisor_version"]) == (schema_id(report), advisor.__version__)
    for report in REPORTS:
        assert report_schema(report)["$id"] == schema_id(report)


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
