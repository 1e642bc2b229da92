"""`advisor bench` with all stacks on a tiny model: the gates, the facts, and the commands that use them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from base64 import b64decode

import pytest
import tiny_model
from stack_cases import stack_python

from finetune.bench.figures import GATES
from finetune.stacks import STACKS

ORDER = ("trl", *(name for name in STACKS if name != "trl"))  # the first one is the reference and runs twice

pytestmark = pytest.mark.every_stack


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return the folder of the user's data; environments stay in the user's own cache."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def advisor(home):
    def run(*words):
        process = subprocess.run(
            [sys.executable, "-m", "advisor", *map(str, words)], capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_DATA_HOME": str(home), "COLUMNS": "200"},
        )  # fmt: skip
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    return run


@pytest.fixture(scope="module")
def bench(advisor, tmp_path_factory):
    """Return the output of the command, and its result file."""
    for name in STACKS:
        if name not in ("trl", "unsloth"):
            stack_python(name)
    folder = tmp_path_factory.mktemp("bench")
    base = tiny_model.model(folder / "tiny")
    data = tiny_model.write(folder / "sums.jsonl", tiny_model.sums())
    output = advisor("bench", "--cpu", "--quick", "--seeds", 1, "--stacks", ",".join(ORDER), "--data", data,
                     "--model", base, "--price", 2, "--claims", "-o", folder / "runs",
                     "--result", folder / "result.json")  # fmt: skip
    return output, folder / "result.json"


def test_four_stacks_do_the_same_work_and_the_fifth_has_a_reason(bench):
    output, result = bench
    runs = json.loads(result.read_text())["runs"]
    assert [(one["stack"], one["again"]) for one in runs] == [
        *((name, False) for name in ORDER),
        ("trl", True),
    ]
    for one in runs:
        if one["stack"] == "unsloth":
            assert "use trl here" in one["reason"]
            continue
        assert one["gates"] == dict.fromkeys(GATES, True), one["stack"]
        assert one["trained_tokens_per_second"] < one["tokens_per_second"]
        assert one["peak_bytes"] > 2**20
        assert one["seconds"] > sum(one["first_step_seconds"].values()) > 0
        assert one["held_out"] < one["base"]
        assert one["version"]
    losses = [one["held_out"] for one in runs if not one["reason"]]
    assert max(losses) - min(losses) <= 0.02
    assert "unsloth, seed 42: failed: unsloth does not support devices.kind" in output
    assert "noise floor: " in output
    assert "cost/M tokens" in output
    assert "measured here: " in output


def test_measurements_change_the_rankings_of_their_goals(bench, advisor):
    _, result = bench
    runs = {one["stack"]: one for one in json.loads(result.read_text())["runs"] if not one["again"]}
    ratio = runs["torchtune"]["tokens_per_second"] / runs["trl"]["tokens_per_second"]
    for goal, figure in (("fast", "measured_throughput"), ("gpu-poor", "measured_peak_memory")):
        ranking = json.loads(advisor("rank", "--goal", goal, "--format", "json"))["ranking"]
        rows = {one["candidate"]["name"]: one for one in ranking}
        values = {
            name: next(m for m in one["measurements"] if m["metric"] == figure) for name, one in rows.items()
        }
        assert values["unsloth"]["status"] == "unavailable"
        assert {name for name, m in values.items() if m["status"] == "measured"} == set(STACKS) - {"unsloth"}
        if goal == "fast":
            assert values["torchtune"]["value"] == pytest.approx(ratio)
            assert "0 days ago" in values["torchtune"]["reason"]


def test_claims_page_and_result_file_show_the_measurements(bench, advisor, tmp_path):
    _, result = bench
    claims = advisor("bench", "--claims")
    assert "times the speed of trl" in claims
    assert "no number of unsloth that counts" in claims
    tables = advisor("bench", "--from", result, "--format", "markdown")
    assert tables.count("\n| ") == 2 + 4  # a header, its rule, and four stacks
    advisor("dashboard", "--months", 1, "-o", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    blocks = (b64decode(one) for one in re.findall(r"[A-Za-z0-9+/]{1000,}={0,2}", page))
    assert any(b"round A, lora of rank 8, tiny" in zlib.decompress(one) for one in blocks)
