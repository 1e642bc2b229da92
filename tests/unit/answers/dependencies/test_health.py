"""The health of sixty packages from bundled facts and from a given store, in every format."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from small_world import AS_OF, rows
from typer.testing import CliRunner

from advisor.answers.dependencies import Dependency, files
from advisor.answers.dependencies.health import bundled_stores, open_stores, rank_dependencies
from advisor.answers.question import Request
from advisor.cli import app, load
from advisor.domain.domain import available_domains, load_domain
from advisor.errors import AdvisorError
from advisor.facts import writing
from advisor.population.reading import category_title, read_categories, read_category, read_list_titles

load(None)

FILES = Path(__file__).parent / "files"
SIXTY = FILES / "sixty.txt"


def rank(*args):
    """Return the exit code and the output, or those of an error that main() would print."""
    result = CliRunner().invoke(app, ["rank", "--from", *map(str, args)])
    if isinstance(result.exception, AdvisorError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def answer():
    return rank_dependencies(
        files.read_dependencies([SIXTY]), open_stores(bundled_stores()), Request(), [str(SIXTY)]
    )


@pytest.fixture(scope="module")
def store_path(tmp_path_factory):
    """A store with invented facts about every package of the table, active and fading ones."""
    store = tmp_path_factory.mktemp("given") / "store"
    table_rows = rows()
    names = sorted({name for _, name in table_rows})
    generator = random.Random(3)
    for d in files.read_dependencies([SIXTY]):
        name = {"numpy": "numpy/numpy", "ruff": "astral-sh/ruff", "pandas": "pandas-dev/pandas",
                "torch": "pytorch/pytorch", "tqdm": "tqdm/tqdm"}.get(d.name)  # fmt: skip
        if name is None:
            continue
        like = generator.choice(names)
        for (table, of), content in table_rows.items():
            if of == like:
                writing.write_rows(store, table, name, [{**r, "repository": name} for r in content])
    # The bundled table lacks this package: the facts give its repository.
    about = {"source": "pypi", "retrieved_at": AS_OF.isoformat()}
    row = {
        "repository": "astral-sh/ruff",
        "ecosystem": "pypi",
        "package": "A_Package.that-nobody-has-published",
    }
    writing.write_rows(store, "packages", "astral-sh/ruff", [{**row, **about}])
    return store


def test_every_one_of_sixty_packages_is_in_the_answer(answer):
    packages = [*answer.known, *answer.unknown]
    assert len(packages) == 60 and len({h.dependency.name for h in packages}) == 60
    assert len(answer.known) >= 30
    assert all(h.unknown and h.ranked is None for h in answer.unknown)
    why = {h.dependency.name: h.unknown for h in answer.unknown}
    assert why["a-package-that-nobody-has-published"] == "its repository is not known"
    assert why["safetensors"] == "huggingface/safetensors: there are no facts about it"
    assert {h.dependency.name for h in answer.known if h.rests_on_lists} >= {"numpy", "pandas", "requests"}


def test_the_riskiest_come_first(answer):
    risk = [(not h.ranked.excluded, h.score or 0) for h in answer.known]
    assert risk == sorted(risk)
    assert any(h.ranked.excluded for h in answer.known)
    assert "torchtune" in {h.dependency.name for h in answer.known if h.ranked.excluded}


def test_a_score_does_not_depend_on_the_other_packages(answer):
    alone = rank_dependencies([Dependency("pypi", "flask", "x")], open_stores(bundled_stores()), Request())
    (flask,) = alone.known
    assert flask.score == next(h.score for h in answer.known if h.dependency.name == "flask")


def test_an_alternative_is_of_the_same_category_and_healthier(answer):
    categories = {
        domain.title: {c.repository for c in (*domain.candidates, *domain.rivals)}
        for domain in map(load_domain, available_domains())
    }
    titles = read_list_titles()
    categories |= {
        category_title(c.name, titles): {row.repository for row in read_category(c.name)}
        for c in read_categories()
        if category_title(c.name, titles) in {a.category for h in answer.known for a in h.alternatives}
    }
    pairs = [(h, a) for h in answer.known for a in h.alternatives]
    assert pairs
    for health, alternative in pairs:
        assert {health.repository, alternative.repository} <= categories[alternative.category]
        assert health.ranked.excluded or alternative.score > health.score
        assert alternative.repository != health.repository


def test_the_outlook_counts(answer):
    outlook = {
        h.dependency.name: next(c for c in h.ranked.criteria if c.criterion == "outlook")
        for h in answer.known
    }
    chance = {h.dependency.name: h.ranked.outlook[1].probability_inactive for h in answer.known}
    worse, better = "torchtune", "trl"
    assert chance[worse] > chance[better]
    assert outlook[worse].utility < outlook[better].utility
    assert all(outlook[n].coverage == 0 for n, p in chance.items() if p is None)


def test_a_given_store_has_facts_and_origins(store_path):
    code, text = rank(SIXTY, "--store", store_path, "--format", "json")
    content = json.loads(text)
    listed = [e for e in content["known"] if e["rests_on_lists"]]
    content["known"] = [e for e in content["known"] if e not in listed]
    assert code == 0 and len(content["known"]) == 6 and len(content["unknown"]) + len(listed) == 54
    scores = {e["name"]: e["ranked"]["score"] for e in content["known"]}
    assert scores["a-package-that-nobody-has-published"] == scores["ruff"]
    assert {e["as_of"] for e in content["known"]} == {AS_OF.isoformat()}
    early = (AS_OF - timedelta(days=400)).isoformat()
    _, text = rank(SIXTY, "--store", store_path, "--format", "json", "--as-of", early)
    assert {e["as_of"] for e in json.loads(text)["known"]} == {early}


def test_the_case_of_names_on_github_does_not_matter():
    dependencies = [Dependency("pypi", "x", "f", repository="HuggingFace/TRL")]
    answer = rank_dependencies(dependencies, open_stores(bundled_stores()), Request())
    assert answer.known and answer.known[0].ranked.candidate.repository == "huggingface/trl"


@pytest.mark.parametrize(("score", "code"), [(0.0, 4), (100.0, 4)])
def test_an_excluded_package_fails_at_any_score(score, code):
    assert rank(SIXTY, "--store", "bundled", "--fail-under", score)[0] == code


def test_the_exit_code_follows_the_score(tmp_path, answer):
    path = tmp_path / "requirements.txt"
    path.write_text("peft\nnobody-knows-this\n")
    score = next(h.score for h in answer.known if h.dependency.name == "peft")
    assert rank(path, "--store", "bundled")[0] == 0
    assert rank(path, "--store", "bundled", "--fail-under", score - 0.1)[0] == 0
    code, text = rank(path, "--store", "bundled", "--fail-under", score + 0.1)
    assert code == 4 and "1 is below" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([SIXTY, "trl"], "not both"),
        ([SIXTY, "--goal", "fame"], "unknown goal"),
        ([SIXTY, "--set", "models=3"], "unknown criterion"),
        ([SIXTY, "--store", "bundled", "--as-of", "1999-01-01"], "no facts for 1999-01-01"),
        (["missing.txt"], "cannot be read"),
    ],
)
def test_wrong_input_gives_an_error(arguments, why):
    code, text = rank(*arguments)
    assert code == 2 and why in text


def test_some_options_need_from():
    for arguments in (["--fail-under", "3"], ["--format", "sarif"], ["--domain", "dependencies"]):
        result = CliRunner().invoke(app, ["rank", *arguments])
        assert isinstance(result.exception, AdvisorError) and "--from" in str(result.exception)


def test_sarif_follows_the_schema_and_names_real_lines(answer):
    _, text = rank(SIXTY, "--store", "bundled", "--format", "sarif", "--fail-under", "60")
    log = json.loads(text)
    schema = json.loads((FILES / "sarif-2.1.0.schema.json").read_text())
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**log, "runs": [{}]}, schema)
    results = log["runs"][0]["results"]
    rules = [r["id"] for r in log["runs"][0]["tool"]["driver"]["rules"]]
    lines = SIXTY.read_text().splitlines()
    for result in results:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        package = result["partialFingerprints"]["advisor/v1"].rpartition(":")[2]
        assert lines[place["region"]["startLine"] - 1].startswith(package)
        assert result["message"]["text"].startswith(package)
    assert len({r["partialFingerprints"]["advisor/v1"] for r in results}) == len(results)
    levels = {r["ruleId"]: r["level"] for r in results}
    assert levels["declared-end"] == "error" and "unknown-health" not in levels
    # a score that may be above the line is a warning
    highest = {h.dependency.name: h.ranked.high for h in answer.known}
    assert all(
        r["level"]
        == ("error" if highest[r["partialFingerprints"]["advisor/v1"].rpartition(":")[2]] < 60 else "warning")
        for r in results
        if r["ruleId"] == "below-score"
    )
    below = {
        r["partialFingerprints"]["advisor/v1"].rpartition(":")[2]
        for r in results
        if r["ruleId"] == "below-score"
    }
    assert below == {h.dependency.name for h in answer.known if h.score is not None and h.score < 60}


def test_every_format_names_every_package(answer):
    names = [h.dependency.name for h in (*answer.known, *answer.unknown)]
    table = list(csv.DictReader(io.StringIO(rank(SIXTY, "--store", "bundled", "--format", "csv")[1])))
    assert [r["package"] for r in table] == names
    assert [r["score"] == "" for r in table] == [h.score is None for h in (*answer.known, *answer.unknown)]
    content = json.loads(rank(SIXTY, "--store", "bundled", "--format", "json")[1])
    assert [e["name"] for e in content["known"] + content["unknown"]] == names
    for way in ("markdown", "table"):
        text = rank(SIXTY, "--store", "bundled", "--format", way)[1]
        assert not [n for n in names if not re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", text)]


def test_a_name_from_outside_does_no_harm(tmp_path, store_path):
    path = tmp_path / "bom.json"  # npm allows no such names, an SBOM allows any
    names = ("<img src=x onerror=alert(1)>|x", "=cmd()")
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [{"name": name} for name in names]}))
    text = rank(path, "--store", store_path, "--format", "markdown")[1]
    assert not re.search(r"(?<!\\)<img", text) and "\\<img" in text
    assert "\nunknown,'=cmd()" in rank(path, "--store", store_path, "--format", "csv")[1]


def test_rank_without_a_file_imports_no_reader():
    code = "import sys, advisor.cli.commands.rank; sys.exit(any(m.startswith(('advisor.answers.dependencies', 'packageurl')) for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_day_before_the_first_commit_of_a_package():
    """The first store has years of facts before that day about some packages; the others begin later."""
    stores = open_stores(bundled_stores())
    oldest = min(stores, key=lambda store: store.first_day)
    dependencies = [Dependency("pypi", r, "requirements.txt", 1, repository=r) for r in oldest.repositories()]
    middle = oldest.first_day + (oldest.as_of - oldest.first_day) / 2
    answer = rank_dependencies(dependencies, stores, Request(as_of=middle), ["requirements.txt"])
    assert answer.known and answer.unknown
    assert all(h.unknown for h in answer.unknown)
