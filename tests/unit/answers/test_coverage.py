"""`advisor coverage` on the bundled facts."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import date, timedelta

import pytest

from advisor.answers.coverage import read_coverage
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.domain.families import load_families
from advisor.domain.files import data_folder
from advisor.errors import FactsError, InputError, UnknownName
from advisor.facts import reading, writing
from advisor.report.coverage import render
from advisor.report.formats import Format

EARLY = date(2024, 6, 5)


@pytest.fixture(scope="module")
def now():
    return read_coverage(read_request(Request()))


@pytest.fixture(scope="module")
def everything():
    return read_coverage(read_request(Request()), "any")


@pytest.fixture(scope="module")
def early():
    return read_coverage(read_request(Request(as_of=EARLY)))


def cell(answer, name, family):
    return next(c for c in answer.cells if c.repository.endswith(f"/{name}") and c.family == family)


def side(answer, name, vendors):
    return next(s for s in answer.sides if s.repository.endswith(f"/{name}") and s.vendors == vendors)


def test_torchtune_supports_its_backers_models_from_the_first_day(now, early):
    own, others = side(now, "torchtune", "Meta"), side(now, "torchtune", "others")
    assert (own.supported, own.families, own.median) == (6, 6, 0)  # Llama 3.2 Vision is a family of its own
    assert others.median is None
    assert others.within < 0.2 < own.within
    assert (cell(now, "torchtune", "Gemma 2").days, cell(now, "torchtune", "Llama 3.1").days) == (134, 0)
    assert cell(early, "torchtune", "Llama 3").days == 0
    spread = {name: m.value for name, m in early.measured["pytorch/torchtune"].items()}
    assert (spread["model_families"], spread["model_vendors"], spread["own_model_share"]) == (6, 4, 0.5)
    assert spread["effective_vendors"] == pytest.approx(3.46, abs=0.01)


def test_support_ends_and_the_package_follows_later(now, early):
    assert cell(now, "torchtune", "Code Llama").removed_on == date(2025, 5, 30)
    assert cell(early, "torchtune", "Code Llama").removed_on is None
    assert cell(now, "torchtune", "Qwen3").supported_on == date(2025, 5, 21)
    assert cell(now, "torchtune", "Qwen3").package is None
    assert cell(now, "torchtune", "Gemma 2").package == "0.5.0"


def test_no_cell_uses_later_facts(early):
    assert {c.family for c in early.cells} == {f.name for f in load_families() if f.released <= EARLY}
    for c in early.cells:
        assert c.supported_on is None or c.supported_on <= EARLY
        assert c.packaged_on is None or c.packaged_on <= EARLY


def test_every_support_has_a_path_and_a_commit_or_release(now):
    supported_cells = [c for c in now.cells if c.supported_on]
    assert len(supported_cells) > 150
    for c in supported_cells:
        assert c.path and c.name
        assert c.route in ("main", "shown")
        assert re.fullmatch(r"[0-9a-f]{40}", c.commit)
        assert c.source.startswith(f"git:{c.repository}@")
        assert c.days == max(0, (c.supported_on - c.released_on).days)


def test_what_transformers_loads_names_its_release_and_the_pin(everything):
    loaded_cells = [c for c in everything.cells if c.route == "transformers"]
    assert len(loaded_cells) > 50
    for c in loaded_cells:
        assert re.fullmatch(r"transformers \d+\.\d+\.\d+; [0-9a-f]{40}(; [0-9a-f]{40})?", c.commit)
    assert any(c.repository == "axolotl-ai-cloud/axolotl" and c.commit.count(";") == 2 for c in loaded_cells)


def test_another_vendor_can_replace_the_backer():
    answer = read_coverage(read_request(Request()), "main", "Meta")
    assert side(answer, "litgpt", "Meta").median < 8
    assert side(answer, "litgpt", "others").median is None
    with pytest.raises(UnknownName, match="Meta"):
        read_coverage(read_request(Request()), vendor="Metta")


def test_the_three_levels_of_a_cell(now, everything):
    jamba = cell(now, "unsloth", "Jamba")
    assert (jamba.supported_on, jamba.level) == (None, "loads")
    assert cell(everything, "unsloth", "Jamba").route == "transformers"
    assert cell(now, "trl", "Gemma 2").level == "shown"
    assert cell(now, "litgpt", "Falcon 3").level in ("named", "shown")
    assert cell(now, "torchtune", "InternLM2").level is None
    # unsloth accepted the type of DeepSeek LLM from the first day on, although it never named the family
    assert cell(everything, "unsloth", "DeepSeek LLM").route == "architecture"
    assert cell(everything, "unsloth", "DeepSeek LLM").days < 90
    # the same credit for the two libraries that have model code of their own
    for name in ("torchtune", "litgpt"):
        assert cell(everything, name, "Yi").level == "loads"


@pytest.mark.parametrize("route", ["main", "shown", "any"])
def test_the_route_rules_every_figure(route):
    answer = read_coverage(read_request(Request()), route)
    for repository in answer.repositories:
        served = [
            c for c in answer.cells if c.repository == repository and c.supported_on and c.removed_on is None
        ]
        figures = {name: m.value for name, m in answer.measured[repository].items()}
        assert figures["model_families"] == len(served)
        assert figures["model_vendors"] == len({c.vendor for c in served})
        newer = sum(s.families for s in answer.sides if s.repository == repository)
        assert newer == sum(1 for c in answer.cells if c.repository == repository and not c.was_older)


def test_the_default_route_agrees_with_the_ranking(now):
    ranking = recommend(read_request(Request())).ranking
    for row in ranking:
        assert row.measurement("model_families").value == now.measured[row.repository]["model_families"].value


def test_the_backer_comes_first_within_a_fixed_horizon(now):
    gap = now.measured["pytorch/torchtune"]["vendor_gap"]
    assert gap.low > 0
    assert re.fullmatch(r"6 of 6 families of Meta, [5-9] of (39|4\d) of others", gap.reason)  # up to its stop
    findings = {
        r.candidate.name: {f.rule for f in r.findings} for r in recommend(read_request(Request())).ranking
    }
    assert "backer-first" in findings["torchtune"]
    assert "backer-first" not in findings["trl"]


def test_every_format_has_the_same_cells(now):
    rows = list(csv.DictReader(io.StringIO(render(now, Format.csv))))
    assert len(rows) == len(now.cells) == 5 * len(load_families())
    content = json.loads(render(now, Format.json))
    assert len(content["cells"]) == len(rows)
    assert content["measured"]["pytorch/torchtune"]["own_model_share"]["value"] == pytest.approx(7 / 16)
    text = render(now, Format.markdown)
    assert text.count("| Gemma 2 |") == 1


def test_the_command_prints_both_tables_as_of_two_days():
    def run(*args):
        return subprocess.run([sys.executable, "-m", "advisor", "coverage", *args],
                              capture_output=True, text=True, check=False)  # fmt: skip

    then, today = run("--as-of", "2024-06-05", "--store", "bundled"), run()
    assert (then.returncode, today.returncode) == (0, 0)
    for output in (then.stdout, today.stdout):
        assert re.search(r"^family +vendor +public weights +trl$", output, re.MULTILINE)
        assert re.search(r"^family +torchtune +litgpt +axolotl", output, re.MULTILINE)
        assert re.search(r"^torchtune +Meta +\d of \d", output, re.MULTILINE)
    assert re.search(r"^Gemma 2 .*2024-11-08 \(\+134\)", today.stdout, re.MULTILINE)
    assert "Gemma 2" not in then.stdout
    assert "gone 2025-05-30" in today.stdout
    failure = run("--as-of", "2031-01-01")
    assert failure.returncode == 2
    assert "Traceback" not in failure.stderr


def test_the_error_without_coverage_says_what_to_do(tmp_path):
    row = {"repository": "huggingface/trl", "day": "2024-01-01", "author": 0, "is_bot": False, "commits": 1,
           "source": "t", "retrieved_at": "2024-01-02"}  # fmt: skip
    writing.write_rows(tmp_path, "contributions", "huggingface/trl", [row])
    with pytest.raises(FactsError, match="collect-support"):
        read_coverage(read_request(Request(store=tmp_path)))
    with pytest.raises(InputError):
        read_coverage(read_request(Request(as_of=now_of() + timedelta(days=9))))


def now_of():
    return reading.open_store(data_folder() / "snapshots" / "finetuning").as_of
