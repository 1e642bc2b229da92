"""`advisor explain` and `advisor compare`: every number has its source, and a flip reverses the order."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from datetime import date

import pytest
from small_world import NAMES, fill, rows
from typer.testing import CliRunner

from advisor.answers import question, recommend
from advisor.answers.compare import compare
from advisor.answers.explain import fact_rows
from advisor.cli import app, load
from advisor.decide import utilities
from advisor.decide.flips import STEPS
from advisor.domain.domain import load_domain
from advisor.domain.files import data_folder
from advisor.errors import InputError
from advisor.facts import reading
from advisor.measure.definitions import DEFINITIONS
from advisor.metrics import METRICS
from advisor.report.compare import render
from advisor.report.formats import Format


def run(*args):
    return subprocess.run(
        [sys.executable, "-m", "advisor", *args], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def torchtune():
    process = run("explain", "torchtune")
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_explain_prints_definition_and_source_of_every_metric(torchtune):
    for metric in METRICS.values():
        assert len(re.findall(rf"^  \S.* = .*\({metric.name}\)$", torchtune, re.MULTILINE)) == 1, metric.name
        assert metric.definition in torchtune
    assert "source: git:pytorch/torchtune@bd2a0fc7c314" in torchtune
    assert re.search(
        r"facts: [\d,]+ rows in contributions, .*; what comes from git ends at commit bd2a0fc7c314", torchtune
    )
    assert re.search(
        r"Gemma 2: since 2024-11-08 by route main: gemma2 in torchtune/models/gemma2/\S+ at commit [0-9a-f]{40}",
        torchtune,
    )
    assert (
        "listed company (https://github.com/pytorch/torchtune/blob/bd2a0fc7c314/LICENSE, read 2026-04-23)"
        in torchtune
    )
    assert "Code Llama:" not in torchtune  # support removed


def test_explain_of_a_past_day_uses_no_later_facts():
    text = run("explain", "torchtune", "--as-of", "2024-06-05").stdout
    assert "Gemma 2:" not in text
    assert "Llama 3: since 2024-04-18" in text


def test_explain_as_json_has_definitions():
    content = json.loads(run("explain", "unsloth", "--format", "json").stdout)
    assert set(content["definitions"]) == set(DEFINITIONS) - {"recipe_steps"}  # the question names no task
    assert content["ranked"]["candidate"]["repository"] == "unslothai/unsloth"
    assert "sql" not in content["definitions"]["stars"]
    assert len(content["models"]) > 40


@pytest.mark.parametrize(
    "args", [("explain", "nobody"), ("compare", "trl", "trl"), ("compare", "trl", "nobody")]
)
def test_wrong_names_print_one_line_and_exit_with_2(args):
    process = run(*args)
    assert (process.returncode, process.stderr.count("\n"), process.stdout) == (2, 1, "")


def test_fact_rows_come_from_the_manifest():
    store = reading.open_store(data_folder() / "snapshots" / "finetuning")
    result = {r.table: r for r in fact_rows(store.manifest["files"], "huggingface/trl")}
    assert result["contributions"].rows == len(reading.read_rows(store, "contributions", "huggingface/trl"))
    assert result["contributions"].head.startswith("f2cd57710ae3")


def pair(a, b, **more):
    return compare(question.read_request(question.Request(repositories=(a, b), **more)))


def test_compare_shows_both_candidates_as_they_are_ranked():
    result = pair("trl", "unsloth")
    scores = {
        r.candidate.name: r.score
        for r in recommend.recommend(question.read_request(question.Request())).ranking
    }
    assert (result.first.score, result.second.score) == (scores["trl"], scores["unsloth"])
    text = render(result, Format.table)
    assert re.search(r"^activity +\d+% +\d+ +\d+ +trl$", text, re.MULTILINE)
    assert render(result, Format.markdown).count("| activity |") == 1
    assert json.loads(render(result, Format.json))["flips"]


@pytest.mark.parametrize(("a", "b"), [("trl", "unsloth"), ("unsloth", "axolotl"), ("trl", "axolotl")])
def test_a_flip_of_a_weight_reverses_the_order(a, b):
    result = pair(a, b)
    of_weights = [f for f in result.flips if f.kind == "weight"]
    assert of_weights
    for flip in of_weights:
        rest = 1 - result.weights[flip.name]
        back = math.copysign(1 / STEPS, flip.now - flip.then)
        for share, is_reversed in ((flip.then, True), (flip.then + back, False)):
            weights = {n: w * (1 - share) / rest for n, w in result.weights.items()} | {flip.name: share}
            scores = [utilities.total_score(r.criteria, weights)[0] for r in (result.first, result.second)]
            # Without a score a candidate is behind.
            lead = (scores[0] or 0.0) - (scores[1] or 0.0)
            was_ahead = result.first.score >= result.second.score
            assert ((lead < 1e-9) if was_ahead else (lead > -1e-9)) is is_reversed, (flip, share)


@pytest.mark.parametrize(("leader", "other", "kinds"), [
    ("unsloth", "huggingface/trl", {"value"}), ("trl", "modelscope/ms-swift", {"value", "unknown"}),
])  # fmt: skip
def test_a_flip_of_a_value_reverses_the_order(leader, other, kinds):
    result = pair(leader, other, domain="finetuning-wide")
    scales = {s.metric: s for c in load_domain("finetuning").criteria for s in c.scales}
    of_values = [f for f in result.flips if f.kind != "weight"]
    assert {f.kind for f in of_values} == kinds
    for flip in of_values:
        scores = {}
        for side in (result.first, result.second):
            scores[side.repository] = side.score
            if side.repository == flip.repository:
                ((criterion, metric),) = (
                    (c, m) for c in side.criteria for m in c.metrics if m.metric == flip.name
                )
                share = (
                    result.weights[criterion.criterion]
                    * metric.weight
                    / sum(m.weight for m in criterion.metrics)
                )
                gain = utilities.utility(scales[flip.name], flip.then) - metric.mean
                scores[side.repository] += 100 * share * gain
        assert max(scores, key=scores.get) == flip.first == other, flip


def test_compare_on_a_past_day_and_with_wrong_pairs():
    assert pair("torchtune", "axolotl", as_of=date(2024, 6, 5)).as_of == date(2024, 6, 5)
    with pytest.raises(InputError, match="name different candidates"):
        pair("trl", "huggingface/trl")


def test_explain_says_why_a_candidate_has_no_rank_and_needs_no_coverage(tmp_path):
    fill(
        tmp_path / "store", {k: v for k, v in rows().items() if k[0] != "model_support" and k[1] != NAMES[2]}
    )
    load("init")
    load("explain")
    domain = tmp_path / "three.toml"
    candidates = [word for name in NAMES for word in ("--candidate", name)]
    CliRunner().invoke(app, ["init", "three", *candidates, "-o", str(domain)])
    options = ("--domain", str(domain), "--store", str(tmp_path / "store"))
    process = CliRunner().invoke(app, ["explain", NAMES[2], *options])
    assert isinstance(process.exception, InputError)
    assert str(process.exception).startswith(f"{NAMES[2]}: ")
    process = CliRunner().invoke(app, ["explain", NAMES[1], *options, "--format", "json"])
    assert json.loads(process.stdout)["models"] == []
