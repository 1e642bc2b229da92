"""Each way to write an answer, and what it does with the odd one: nobody suitable, nothing known, foreign text."""

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
def nobody(answer):
    """The same, with everybody ruled out."""
    out = tuple(replace(r, excluded=True, rank=None) for r in answer.ranking)
    return replace(answer, choice=None, certainty="none", ranking=out, reasons=(), doubts=())


def test_markdown_shows_every_section_and_runs_nothing_foreign(answer):
    shown = ranking.render(replace(answer, reasons=("a <b> | *c*",)), Format.markdown)
    assert shown.startswith(f"# finetuning: {answer.choice}")
    assert r"a \<b\> \| \*c\*" in shown
    assert all(f"| {r.candidate.name} |" in shown for r in answer.ranking)
    assert shown.index("## Why") < shown.index("## Ranking") < shown.index("## Figures")


def test_csv_has_a_row_a_candidate_and_metric_and_no_formula(answer):
    first = answer.ranking[0]
    measured = replace(first.measurements[0], reason="=cmd()")
    shown = ranking.render(
        replace(answer, ranking=(replace(first, measurements=(measured, *first.measurements[1:])),)),
        Format.csv,
    )
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [r["metric"] for r in rows] == [m.metric for m in first.measurements]
    assert rows[0]["reason"] == "'=cmd()"


def test_json_is_as_its_schema_says(answer):
    jsonschema.validate(json.loads(ranking.render(answer, Format.json)), ranking.schema())


def test_nobody_suitable_is_said_in_words_and_in_colour(nobody):
    for shown in (text.render(nobody), terminal.render(nobody, 140)):
        assert "No suitable candidate: each one is excluded or has too little data." in shown
    assert ranking.render(nobody, Format.markdown).startswith("# finetuning: no suitable candidate")
    assert "●" in terminal.render(nobody, 140)
    unknown = replace(nobody, ranking=tuple(replace(r, score=None) for r in nobody.ranking))
    assert "●" not in terminal.render(unknown, 140)


def test_bounds_that_read_alike_are_left_out():
    found = Measurement("o/n", "issues_closed_share", "measured", 0.501, low=0.4999, high=0.5012)
    assert show(found) == "50%"
    assert show(replace(found, low=0.3)) == "50% [30%–50%]"


def test_who_is_out_stands_on_the_page_with_the_reason(answer):
    out = next(r for r in answer.ranking if r.excluded)
    assert page_answer._out(out)["text"] == next(f.text for f in out.findings if f.verdict == "exclude")


def test_the_page_without_anything_to_compare_with(monkeypatch, tmp_path):
    from advisor.domain import population

    assert reference.population() and reference.calibration()
    for module in (reference, population):
        monkeypatch.setattr(module, "data_folder", lambda: tmp_path)
    assert reference.population() is None
    assert reference.calibration() == []


def test_coverage_for_a_terminal_and_a_day_before_all():
    found = coverage.read_coverage(read_request(Request()))
    shown = render_coverage(found, Format.table)
    assert shown.startswith(f"model coverage as of {found.as_of}")
    assert all(name.partition("/")[2] in shown for name in found.repositories)


def test_a_family_of_which_nothing_was_read_is_unknown():
    found = coverage.read_coverage(read_request(Request()))
    less = render_coverage(replace(found, cells=found.cells[1:]), Format.table)
    assert less.count("?") == render_coverage(found, Format.table).count("?") + 1


def test_a_licence_that_nobody_has_read_is_not_decided():
    told = recommend(
        read_request(Request(domain="dataframes", requirements=Requirements(license="permissive")))
    )
    assert any("licen" in line for line in told.requirement_notes)
    assert not any(r.excluded and any("licence" in f.text for f in r.findings) for r in told.ranking)


def test_an_explanation_as_markdown_is_the_text(answer):
    explanation = explain_report.Explanation(
        answer.as_of, answer.goal, answer.weights, answer.ranking[0], tables=(), models=()
    )
    as_text = explain_report.render(explanation, Format.table)
    as_markdown = explain_report.render(explanation, Format.markdown)
    assert as_markdown == f"# {answer.choice}\n\n```text\n{as_text}```\n"
    assert "supported model families, with the evidence for each" not in as_text


@pytest.fixture(scope="module")
def health(answer):
    """Of one package that is known and of one that is not."""
    known = Health(Dependency("pypi", "trl", "requirements.txt", 1), "huggingface/trl", "a table",
                   answer.ranking[-1], date(2026, 7, 24))  # fmt: skip
    return known, Health(
        Dependency("pypi", "nobody", "/abs/requirements.txt", 2), unknown="its repository is unknown"
    )


@pytest.mark.parametrize("which", ["known", "unknown"])
def test_dependencies_of_one_kind_alone(health, which):
    kept = {"known": (), "unknown": (), which: (health[which == "unknown"],)}
    found = Dependencies(files=("requirements.txt",), goal="balanced", weights={}, **kept)
    for shown in (render_dependencies(found, f) for f in (Format.table, Format.markdown)):
        assert ("its repository is unknown" in shown) is (which == "unknown")
        assert ("huggingface/trl" in shown.replace("\\", "")) is (which == "known")


def test_sarif_of_a_file_elsewhere_is_not_of_this_checkout(health):
    elsewhere = health[1]
    here = replace(elsewhere, dependency=replace(elsewhere.dependency, file="requirements.txt"))
    found = Dependencies(files=("two",), goal="balanced", weights={}, known=(), unknown=(elsewhere, here))
    results = json.loads(render_dependencies(found, Format.sarif))["runs"][0]["results"]
    told = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in results]
    assert ["uriBaseId" in artifact for artifact in told] == [False, True]


def test_a_task_at_a_glance():
    side = Side("trl", files=(("a.yaml", "x: 1\ny: 2\n"),))
    assert side.summary == "2 lines, no deviations"
    assert replace(side, deviations=("one",)).summary == "2 lines, 1 deviation"
    assert replace(side, refused="it has no CPU").summary == "cannot do it"


def test_what_of_a_model_fits_is_said_where_something_is_asked():
    asked = Requirements(model="google/gemma-2-9b", method="qlora", gpu_memory_gib=24.0)
    told = recommend(read_request(Request(requirements=asked)))
    assert any("weights and optimizer of google/gemma-2-9b need" in line for line in told.requirement_notes)


def test_the_same_one_twice_is_no_pair():
    with pytest.raises(InputError, match="two different"):
        pairs.compare(read_request(Request(repositories=("trl", "trl"))))
