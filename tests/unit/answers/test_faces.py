"""advisor rank in a process of its own, on the bundled snapshot."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import date

import pytest
from bare_environment import bare_environment
from measuring import measure_repositories

import advisor
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.domain.files import data_folder
from advisor.facts import manifest, reading, writing
from advisor.facts.tables import DAYS
from advisor.measure.cache import measurement_from_json

SNAPSHOT = data_folder() / "snapshots" / "finetuning"
FIVE = {"trl", "torchtune", "litgpt", "axolotl", "unsloth"}


def run(*args, home=None, flags=()):
    env = bare_environment(HOME=str(home or os.devnull))
    return subprocess.run([sys.executable, *flags, "-m", "advisor", *args], env=env, capture_output=True,
                          text=True, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def report():
    process = run("rank", "--full")
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_report_has_reasons_and_doubts(report):
    for part in ("Recommendation: ", "why:", "doubts:", "instead of the default", *FIVE):
        assert part in report
    assert max(len(line) for line in report.split("exclusions and")[0].splitlines()) <= 125


def test_torchtune_is_excluded_by_its_own_statement(report):
    assert "its own README declares it unmaintained" in report
    files = [*(data_folder() / "rules").glob("*.toml"), *(data_folder() / "criteria").glob("*.toml")]
    assert len(files) > 5
    assert not [f for f in files if "torchtune" in f.read_text()]


def test_rank_imports_nothing_heavy_and_writes_nothing(tmp_path):
    process = run("rank", home=tmp_path, flags=("-X", "importtime"))
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in process.stderr.splitlines()}
    assert process.returncode == 0
    assert "typer" in modules
    assert not modules & {"pandas", "numpy", "httpx", "plotly", "torch", "github", "duckdb"}
    assert not any(tmp_path.iterdir())


def test_json_is_stable_and_matches_its_schema():
    first, second = run("rank", "--format", "json"), run("rank", "--format", "json")
    assert first.stdout == second.stdout
    answer = json.loads(first.stdout)
    schema = json.loads(run("schema").stdout)
    assert set(schema["required"]) <= set(answer) <= set(schema["properties"])
    assert {r["candidate"]["name"] for r in answer["ranking"]} == FIVE
    sources = [s for r in answer["ranking"] for m in r["measurements"] if m["status"] == "measured"
               for s in m["sources"]]  # fmt: skip
    assert sources and all(sources)


def test_markdown_and_csv():
    assert run("rank", "--format", "markdown").stdout.startswith("# finetuning: ")
    rows = list(csv.DictReader(io.StringIO(run("rank", "--format", "csv").stdout)))
    assert {r["repository"].split("/")[1] for r in rows} == FIVE


def test_the_answer_as_a_frame():
    answer = advisor.recommend(goal="many-vendors")
    frame = answer.to_frame()
    assert list(frame.index) == [r.candidate.repository for r in answer.ranking]
    assert frame["score"].between(0, 100).all()


def test_the_cached_measurements_equal_fresh_ones():
    store = reading.open_store(SNAPSHOT)
    cached_rows = json.loads(gzip.decompress((SNAPSHOT / "measurements.json.gz").read_bytes()))[
        "measurements"
    ]
    answer, damages = measure_repositories(store, store.repositories(), store.as_of)
    assert not damages
    for repository, by_name in answer.items():
        for row in cached_rows[repository]:
            measurement = by_name[row["metric"]]
            kept = measurement_from_json(row)
            assert (kept.status, kept.reason, kept.n) == (
                measurement.status,
                measurement.reason,
                measurement.n,
            )
            assert kept.value == (
                measurement.value if isinstance(measurement.value, str) else pytest.approx(measurement.value)
            )


def test_facts_of_later_days_change_no_byte(tmp_path):
    from advisor.report.formats import Format
    from advisor.report.ranking import render

    day = date(2024, 6, 5)
    store, past_store = reading.open_store(SNAPSHOT), tmp_path / "finetuning"
    for file in store.manifest["files"]:
        table, _, name = file.removesuffix(".parquet").partition("/")
        name, _, part = name.partition("@")
        # A family that a library did not support by that day is a fact of the day of its release.
        column = "family_released_on" if table == "model_support" else DAYS[table][0]
        repository = name.replace("__", "/", 1)
        rows = [
            r
            for r in reading.read_rows(store, table, repository, part)
            if str(r[column])[:10] <= day.isoformat()
        ]
        if rows:
            writing.write_rows(past_store, table, repository, rows, part=part)
    manifest.pin_as_of(past_store, day)
    before = render(recommend(read_request(Request(as_of=day))), Format.json)
    assert render(recommend(read_request(Request(as_of=day, store=past_store))), Format.json) == before
    assert "2025-" not in before.replace("git:", "")


def test_the_command_names_a_damaged_file_and_ranks_the_others(tmp_path):
    store = tmp_path / "s"
    shutil.copytree(SNAPSHOT, store)
    damaged_file = store / "contributions" / "Lightning-AI__litgpt.parquet"
    damaged_file.write_bytes(damaged_file.read_bytes()[:100])
    process = run("rank", "--store", str(store))
    assert process.returncode == 3
    assert str(damaged_file) in process.stderr
    assert "Recommendation: " in process.stdout
    assert "Traceback" not in process.stderr


def test_nothing_suitable_exits_with_4(tmp_path):
    rules = tmp_path / "r.toml"
    rules.write_text('[[rule]]\nid = "all"\nverdict = "exclude"\nreason = "no"\nfires = [{ contributors = 1 }]\n'
                     'silent = [{}]\nwhen = { name = "contributors", op = ">=", value = 0 }\n')  # fmt: skip
    process = run("rank", "--rules", str(rules))
    assert (process.returncode, "No suitable candidate" in process.stdout) == (4, True)


@pytest.mark.parametrize(("args", "message"), [
    (["--domain", "cooking"], "unknown domain"), (["nobody/nothing"], "no facts about nobody/nothing"),
    (["nobody", "--domain", "finetuning"], "unknown candidate"),
    (["--goal", "fame"], "unknown goal"), (["--set", "models"], "CRITERION=WEIGHT"),
    (["--set", "modles=3"], "unknown criterion"), (["--set", "models=-1"], "expected 0, or a number"),
    (["--set", "models=nan"], "expected 0, or a number"), (["--as-of", "tomorrow"], "YYYY-MM-DD"),
    (["--as-of", "2099-01-01"], "between"), (["--as-of", "1999-01-01"], "between"),
    (["--store", "nowhere"], "no snapshot"), (["--rules", "nowhere.toml"], "nowhere.toml"),
    (["--domain", "nowhere.toml"], "nowhere.toml"), (["--format", "pdf"], "pdf"),
])  # fmt: skip
def test_wrong_input_prints_one_clear_message(args, message):
    process = run("rank", *args)
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert process.stdout == ""


def test_help_has_examples():
    process = run("rank", "--help")
    assert "Examples" in process.stdout and "--as-of" in process.stdout
