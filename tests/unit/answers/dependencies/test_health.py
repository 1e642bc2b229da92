"""What sixty packages are worth, from the bundled facts and from a given store; and every way to write it."""

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

load(None)

FILES = Path(__file__).parent / "files"
SIXTY = FILES / "sixty.txt"


def rank(*args):
    """(exit code, what was printed); the error's code where main() would have printed one."""
    done = CliRunner().invoke(app, ["rank", "--from", *map(str, args)])
    if isinstance(done.exception, AdvisorError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def bundled():
    return rank_dependencies(files.read_dependencies([SIXTY]), open_stores(bundled_stores()), Request(), [str(SIXTY)])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Facts about every package of the table, made up: of some lively, of some fading projects."""
    store = tmp_path_factory.mktemp("given") / "store"
    made = rows()
    alike = sorted({name for _, name in made})
    lot = random.Random(3)
    for d in files.read_dependencies([SIXTY]):
        name = {"numpy": "numpy/numpy", "ruff": "astral-sh/ruff", "pandas": "pandas-dev/pandas",
                "torch": "pytorch/pytorch", "tqdm": "tqdm/tqdm"}.get(d.name)  # fmt: skip
        if name is None:
            continue
        like = lot.choice(alike)
        for (table, of), found in made.items():
            if of == like:
                writing.write_rows(store, table, name, [{**r, "repository": name} for r in found])
    # not in the table that came along: the facts themselves say whose package it is
    about = {"source": "pypi", "retrieved_at": AS_OF.isoformat()}
    row = {
        "repository": "astral-sh/ruff",
        "ecosystem": "pypi",
        "package": "A_Package.that-nobody-has-published",
    }
    writing.write_rows(store, "packages", "astral-sh/ruff", [{**row, **about}])
    return store


def test_sixty_packages_and_nobody_is_dropped(bundled):
    everybody = [*bundled.known, *bundled.unknown]
    assert len(everybody) == 60 and len({h.dependency.name for h in everybody}) == 60
    assert len(bundled.known) >= 30
    assert all(h.unknown and h.ranked is None for h in bundled.unknown)
    why = {h.dependency.name: h.unknown for h in bundled.unknown}
    assert why["a-package-that-nobody-has-published"] == "its repository is not known"
    assert why["numpy"] == "numpy/numpy: there are no facts about it"


def test_the_riskiest_come_first(bundled):
    risk = [(not h.ranked.excluded, h.score or 0) for h in bundled.known]
    assert risk == sorted(risk)
    assert any(h.ranked.excluded for h in bundled.known)
    assert "torchtune" in {h.dependency.name for h in bundled.known if h.ranked.excluded}


def test_a_score_does_not_hang_on_the_other_packages(bundled):
    alone = rank_dependencies([Dependency("pypi", "flask", "x")], open_stores(bundled_stores()), Request())
    (flask,) = alone.known
    assert flask.score == next(h.score for h in bundled.known if h.dependency.name == "flask")


def test_an_alternative_is_of_the_same_category_and_fares_better(bundled):
    categories = {
        load_domain(n).title: {c.repository for c in load_domain(n).candidates} for n in available_domains()
    }
    offered = [(h, a) for h in bundled.known for a in h.alternatives]
    assert offered
    for health, alternative in offered:
        assert {health.repository, alternative.repository} <= categories[alternative.category]
        assert health.ranked.excluded or alternative.score > health.score
        assert alternative.repository != health.repository


def test_the_outlook_counts(bundled):
    outlook = {
        h.dependency.name: next(c for c in h.ranked.criteria if c.criterion == "outlook")
        for h in bundled.known
    }
    chance = {h.dependency.name: h.ranked.outlook[1].probability_inactive for h in bundled.known}
    worse, better = "torchtune", "trl"
    assert chance[worse] > chance[better]
    assert outlook[worse].utility < outlook[better].utility
    assert all(outlook[n].utility is None for n, p in chance.items() if p is None)


def test_a_given_store_speaks_and_knows_whose_package_it_is(given):
    code, text = rank(SIXTY, "--store", given, "--format", "json")
    found = json.loads(text)
    assert code == 0 and len(found["known"]) == 6 and len(found["unknown"]) == 54
    scores = {e["name"]: e["ranked"]["score"] for e in found["known"]}
    assert scores["a-package-that-nobody-has-published"] == scores["ruff"]
    assert {e["as_of"] for e in found["known"]} == {AS_OF.isoformat()}
    early = (AS_OF - timedelta(days=400)).isoformat()
    _, text = rank(SIXTY, "--store", given, "--format", "json", "--as-of", early)
    assert {e["as_of"] for e in json.loads(text)["known"]} == {early}


def test_names_on_github_do_not_tell_upper_from_lower_case():
    asked = [Dependency("pypi", "x", "f", repository="HuggingFace/TRL")]
    answer = rank_dependencies(asked, open_stores(bundled_stores()), Request())
    assert answer.known and answer.known[0].ranked.candidate.repository == "huggingface/trl"


@pytest.mark.parametrize(("score", "code"), [(0.0, 4), (100.0, 4)])
def test_a_package_that_is_ruled_out_fails_whatever_the_score(score, code):
    assert rank(SIXTY, "--store", "bundled", "--fail-under", score)[0] == code


def test_the_exit_code_follows_the_score(tmp_path, bundled):
    path = tmp_path / "requirements.txt"
    path.write_text("peft\nnobody-knows-this\n")
    score = next(h.score for h in bundled.known if h.dependency.name == "peft")
    assert rank(path, "--store", "bundled")[0] == 0
    assert rank(path, "--store", "bundled", "--fail-under", score - 0.1)[0] == 0
    code, text = rank(path, "--store", "bundled", "--fail-under", score + 0.1)
    assert code == 4 and "1 is below" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([SIXTY, "--format", "html"], "has no format html"),
        ([SIXTY, "trl"], "not both"),
        ([SIXTY, "--goal", "fame"], "unknown goal"),
        ([SIXTY, "--set", "models=3"], "unknown criterion"),
        ([SIXTY, "--store", "bundled", "--as-of", "1999-01-01"], "no facts for 1999-01-01"),
        (["missing.txt"], "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said(arguments, why):
    code, text = rank(*arguments)
    assert code == 2 and why in text


def test_without_a_file_the_options_are_of_no_use():
    for arguments in (["--fail-under", "3"], ["--format", "sarif"], ["--domain", "dependencies"]):
        done = CliRunner().invoke(app, ["rank", *arguments])
        assert isinstance(done.exception, AdvisorError) and "--from" in str(done.exception)


def test_sarif_keeps_the_schema_and_names_real_lines(bundled):
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
    assert levels["declared-end"] == levels["below-score"] == "error" and levels["unknown-health"] == "note"
    below = {
        r["partialFingerprints"]["advisor/v1"].rpartition(":")[2]
        for r in results
        if r["ruleId"] == "below-score"
    }
    assert below == {h.dependency.name for h in bundled.known if h.score < 60}


def test_csv_json_markdown_and_text_name_everybody(bundled):
    names = [h.dependency.name for h in (*bundled.known, *bundled.unknown)]
    table = list(csv.DictReader(io.StringIO(rank(SIXTY, "--store", "bundled", "--format", "csv")[1])))
    assert [r["package"] for r in table] == names
    assert [r["score"] == "" for r in table] == [h.score is None for h in (*bundled.known, *bundled.unknown)]
    found = json.loads(rank(SIXTY, "--store", "bundled", "--format", "json")[1])
    assert [e["name"] for e in found["known"] + found["unknown"]] == names
    for way in ("markdown", "table"):
        text = rank(SIXTY, "--store", "bundled", "--format", way)[1]
        assert not [n for n in names if not re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", text)]


def test_a_stranger_s_name_does_no_harm(tmp_path, given):
    path = tmp_path / "package.json"
    path.write_text('{"dependencies": {"<img src=x onerror=alert(1)>|x": "1.0.0", "=cmd()": "1.0.0"}}')
    text = rank(path, "--store", given, "--format", "markdown")[1]
    assert not re.search(r"(?<!\\)<img", text) and "\\<img" in text
    assert "\nnpm,'=cmd()" in rank(path, "--store", given, "--format", "csv")[1]


def test_rank_stays_cheap_where_no_file_is_given():
    code = "import sys, advisor.cli.commands.rank; sys.exit(any(m.startswith(('advisor.answers.dependencies', 'packageurl')) for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_day_before_a_package_was_begun():
    """The first store speaks of some of its own, the others do not reach back so far."""
    stores = open_stores(bundled_stores())
    oldest = min(stores, key=lambda store: store.first_day)
    asked = [Dependency("pypi", r, "requirements.txt", 1, repository=r) for r in oldest.repositories()]
    answer = rank_dependencies(asked, stores, Request(as_of=oldest.first_day), ["requirements.txt"])
    assert answer.known and answer.unknown
    assert all(h.unknown for h in answer.unknown)
