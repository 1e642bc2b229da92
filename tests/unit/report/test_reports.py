"""Each report of unusual answers: no suitable candidate, missing data, text from outside."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date

import jsonschema
import pytest

import advisor
from advisor.answers import compare as pairs
from advisor.answers import coverage
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.health import Dependencies, Health
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.decide.requirements import Requirements
from advisor.errors import InputError
from advisor.model import Measurement
from advisor.report import explain as explain_report
from advisor.report import ranking
from advisor.report.coverage import render as render_coverage
from advisor.report.dashboard import answer as page_answer
from advisor.report.dashboard import reference
from advisor.report.dashboard.task import Side
from advisor.report.dependencies import render as render_dependencies
from advisor.report.formats import Format
from advisor.report.ranking import terminal, text
from advisor.report.values import show


@pytest.fixture(scope="module")
def answer():
    return advisor.recommend()


@pytest.fixture(scope="module")
def no_choice(answer):
    """The same answer with all candidates excluded."""
    out = tuple(replace(r, excluded=True, rank=None) for r in answer.ranking)
    return replace(answer, choice=None, certainty="none", ranking=out, reasons=(), doubts=())


def test_markdown_has_every_section_and_escapes_text(answer):
    content = ranking.render(replace(answer, reasons=("a <b> | *c*",)), Format.markdown)
    assert content.startswith(f"# finetuning: {answer.choice}")
    assert r"a \<b\> \| \*c\*" in content
    assert all(f"| {r.candidate.name} |" in content for r in answer.ranking)
    assert content.index("## Why") < content.index("## Ranking") < content.index("## Figures")


def test_csv_has_a_row_for_each_candidate_and_metric_and_no_formula(answer):
    first = answer.ranking[0]
    measurement = replace(first.measurements[0], reason="=cmd()")
    content = ranking.render(
        replace(answer, ranking=(replace(first, measurements=(measurement, *first.measurements[1:])),)),
        Format.csv,
    )
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [r["metric"] for r in rows] == [m.metric for m in first.measurements]
    assert rows[0]["reason"] == "'=cmd()"


def test_json_follows_its_schema(answer):
    jsonschema.validate(json.loads(ranking.render(answer, Format.json)), ranking.schema())


def test_the_reports_say_that_no_candidate_is_suitable(no_choice):
    for content in (text.render(no_choice), terminal.render(no_choice, 140)):
        assert "No suitable candidate: each one is excluded or has too little data." in content
    assert ranking.render(no_choice, Format.markdown).startswith("# finetuning: no suitable candidate")
    assert "●" in terminal.render(no_choice, 140)
    unknown = replace(no_choice, ranking=tuple(replace(r, score=None) for r in no_choice.ranking))
    assert "●" not in terminal.render(unknown, 140)


def test_bounds_that_look_equal_are_left_out():
    measurement = Measurement("o/n", "issues_closed_share", "measured", 0.501, low=0.4999, high=0.5012)
    assert show(measurement) == "50%"
    assert show(replace(measurement, low=0.3)) == "50% [30%–50%]"


def test_the_page_has_the_reason_of_an_excluded_candidate(answer):
    out = next(r for r in answer.ranking if r.excluded)
    assert page_answer._exclusion(out)["text"] == next(f.text for f in out.findings if f.verdict == "exclude")


def test_the_page_without_reference_values(monkeypatch, tmp_path):
    from advisor.domain import percentiles

    assert reference.percentiles() and reference.calibration()
    for module in (reference, percentiles):
        monkeypatch.setattr(module, "data_folder", lambda: tmp_path)
    assert reference.percentiles() is None
    assert reference.calibration() == []


def test_the_coverage_table_names_day_and_libraries():
    coverage_answer = coverage.read_coverage(read_request(Request()))
    content = render_coverage(coverage_answer, Format.table)
    assert content.startswith(f"model coverage as of {coverage_answer.as_of}")
    assert all(name.partition("/")[2] in content for name in coverage_answer.repositories)


def test_a_family_without_data_is_a_question_mark():
    coverage_answer = coverage.read_coverage(read_request(Request()))
    less = render_coverage(replace(coverage_answer, cells=coverage_answer.cells[1:]), Format.table)
    assert less.count("?") == render_coverage(coverage_answer, Format.table).count("?") + 1


def test_an_unknown_licence_excludes_nobody():
    recommendation = recommend(
        read_request(Request(domain="dataframes", requirements=Requirements(license="permissive")))
    )
    assert any("licen" in line for line in recommendation.requirement_notes)
    assert not any(
        r.excluded and any("licence" in f.text for f in r.findings) for r in recommendation.ranking
    )


def test_an_explanation_in_markdown_has_the_text(answer):
    explanation = explain_report.Explanation(
        answer.as_of, answer.goal, answer.weights, answer.ranking[0], tables=(), models=()
    )
    as_text = explain_report.render(explanation, Format.table)
    as_markdown = explain_report.render(explanation, Format.markdown)
    assert as_markdown == f"# {answer.choice}\n\n```text\n{as_text}```\n"
    assert "supported model families, with the evidence for each" not in as_text


@pytest.fixture(scope="module")
def health(answer):
    """A package with a score and one without."""
    package = Health(Dependency("pypi", "trl", "requirements.txt", 1), "huggingface/trl", "a table",
                   answer.ranking[-1], date(2026, 7, 24))  # fmt: skip
    return package, Health(
        Dependency("pypi", "nobody", "/abs/requirements.txt", 2), unknown="its repository is unknown"
    )


@pytest.mark.parametrize("which", ["known", "unknown"])
def test_dependencies_with_or_without_a_score_only(health, which):
    packages = {"known": (), "unknown": (), which: (health[which == "unknown"],)}
    answer = Dependencies(files=("requirements.txt",), goal="balanced", weights={}, **packages)
    for content in (render_dependencies(answer, f) for f in (Format.table, Format.markdown)):
        assert ("its repository is unknown" in content) is (which == "unknown")
        assert ("huggingface/trl" in content.replace("\\", "")) is (which == "known")


def test_sarif_of_an_absolute_path_has_no_checkout_root(health):
    elsewhere = health[1]
    here = replace(elsewhere, dependency=replace(elsewhere.dependency, file="requirements.txt"))
    answer = Dependencies(
        files=("two",), goal="balanced", weights={}, known=(), unknown=(elsewhere, here), fails_unknown=True
    )
    results = json.loads(render_dependencies(answer, Format.sarif))["runs"][0]["results"]
    artifacts = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in results]
    assert ["uriBaseId" in artifact for artifact in artifacts] == [False, True]


def test_the_summary_of_a_task():
    side = Side("trl", files=(("a.yaml", "x: 1\ny: 2\n"),))
    assert side.summary == "2 lines, no deviations"
    assert replace(side, deviations=("one",)).summary == "2 lines, 1 deviation"
    assert replace(side, refusal="it has no CPU").summary == "cannot do it"


def test_the_answer_says_how_much_memory_the_model_needs():
    requirements = Requirements(model="google/gemma-2-9b", method="qlora", gpu_memory_gib=24.0)
    recommendation = recommend(read_request(Request(requirements=requirements)))
    assert any(
        "weights and optimizer of google/gemma-2-9b need" in line for line in recommendation.requirement_notes
    )


def test_compare_refuses_the_same_candidate_twice():
    with pytest.raises(InputError, match=r"huggingface/trl is named 2 times: name different candidates"):
        pairs.compare(read_request(Request(repositories=("trl", "trl"))))
