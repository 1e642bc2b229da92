"""advisor rank as a user meets it: a process of its own on the bundled snapshot."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import date

import pytest
from bare_environment import bare_environment

import advisor
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.domain.files import data_folder
from advisor.facts import manifest, reading, writing
from advisor.measure.one_day import measure_repositories

SNAPSHOT = data_folder() / "snapshots" / "finetuning"
FIVE = {"trl", "torchtune", "litgpt", "axolotl", "unsloth"}


def run(*args, home=None, flags=()):
    env = bare_environment(HOME=str(home or os.devnull))
    return subprocess.run([sys.executable, *flags, "-m", "advisor", *args], env=env, capture_output=True,
                          text=True, check=False)  # fmt: skip


@pytest.fixture(scope="module")
def report():
    done = run("rank")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_report_answers_with_reasons_and_doubts(report):
    for part in ("Recommendation: ", "why:", "doubts:", "leaving the default", *FIVE):
        assert part in report
    assert max(len(line) for line in report.split("exclusions and")[0].splitlines()) <= 125


def test_torchtune_is_out_because_of_its_own_words(report):
    assert "its own README declares it unmaintained" in report
    files = [*(data_folder() / "rules").glob("*.toml"), *(data_folder() / "criteria").glob("*.toml")]
    assert len(files) > 5
    assert not [f for f in files if "torchtune" in f.read_text()]


def test_no_heavy_import_and_an_empty_home(tmp_path):
    done = run("rank", home=tmp_path, flags=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "typer" in imported
    assert not imported & {"pandas", "numpy", "httpx", "plotly", "torch", "github", "duckdb"}
    assert not any(tmp_path.iterdir())


def test_json_is_stable_and_keeps_its_schema():
    first, second = run("rank", "--format", "json"), run("rank", "--format", "json")
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    schema = json.loads(run("schema").stdout)
    assert set(schema["required"]) <= set(found) <= set(schema["properties"])
    assert {r["candidate"]["name"] for r in found["ranking"]} == FIVE
    sources = [s for r in found["ranking"] for m in r["measurements"] if m["status"] == "measured"
               for s in m["sources"]]  # fmt: skip
    assert sources and all(sources)


def test_markdown_and_csv():
    assert run("rank", "--format", "markdown").stdout.startswith("# finetuning: ")
    rows = list(csv.DictReader(io.StringIO(run("rank", "--format", "csv").stdout)))
    assert {r["repository"].split("/")[1] for r in rows} == FIVE


def test_the_typed_answer_and_its_frame():
    answer = advisor.recommend(goal="many-vendors")
    frame = answer.to_frame()
    assert list(frame.index) == [r.candidate.repository for r in answer.ranking]
    assert frame["score"].between(0, 100).all()


def test_the_kept_measurements_are_what_the_facts_give():
    store = reading.open_store(SNAPSHOT)
    kept = json.loads((SNAPSHOT / "measurements.json").read_text())["measurements"]
    found, damages = measure_repositories(store, store.repositories(), store.as_of)
    assert not damages
    for repository, by_name in found.items():
        for row in kept[repository]:
            measured = by_name[row["metric"]]
            assert (row["status"], row["reason"], row["n"]) == (
                measured.status,
                measured.reason,
                measured.n,
            )
            assert row["value"] == (
                measured.value if isinstance(measured.value, str) else pytest.approx(measured.value)
            )


def test_deleting_the_future_changes_no_byte(tmp_path):
    from advisor.report.formats import Format
    from advisor.report.ranking import render

    day = date(2024, 6, 5)
    store, cut = reading.open_store(SNAPSHOT), tmp_path / "finetuning"
    columns = {"repositories": "observed_on", "contributions": "day", "counts": "day", "releases": "released_on",
               "threads": "opened_at", "model_support": "family_released_on"}  # fmt: skip
    for table, column in columns.items():
        for repository in store.repositories():
            rows = [
                r for r in reading.read_rows(store, table, repository) if str(r[column])[:10] <= day.isoformat()
            ]
            if rows:
                writing.write_rows(cut, table, repository, rows)
    manifest.pin_as_of(cut, day)
    before = render(recommend(read_request(Request(as_of=day))), Format.json)
    assert render(recommend(read_request(Request(as_of=day, store=cut))), Format.json) == before
    assert "2025-" not in before.replace("git:", "")


def test_a_damaged_file_is_named_and_the_others_are_ranked(tmp_path):
    store = tmp_path / "s"
    shutil.copytree(SNAPSHOT, store)
    bad = store / "contributions" / "Lightning-AI__litgpt.parquet"
    bad.write_bytes(bad.read_bytes()[:100])
    done = run("rank", "--store", str(store))
    assert done.returncode == 3
    assert str(bad) in done.stderr
    assert "Recommendation: " in done.stdout
    assert "Traceback" not in done.stderr


def test_nothing_suitable_is_an_answer(tmp_path):
    rules = tmp_path / "r.toml"
    rules.write_text('[[rule]]\nid = "all"\nverdict = "exclude"\nreason = "no"\nfires = [{ contributors = 1 }]\n'
                     'silent = [{}]\nwhen = { name = "contributors", op = ">=", value = 0 }\n')  # fmt: skip
    done = run("rank", "--rules", str(rules))
    assert (done.returncode, "Nothing suitable" in done.stdout) == (4, True)


@pytest.mark.parametrize(("args", "said"), [
    (["--domain", "cooking"], "unknown domain"), (["nobody/nothing"], "unknown candidate"),
    (["--goal", "fame"], "unknown goal"), (["--set", "models"], "criterion=number"),
    (["--set", "modles=3"], "unknown criterion"), (["--set", "models=-1"], "0 or more"),
    (["--set", "models=nan"], "0 or more"), (["--as-of", "tomorrow"], "YYYY-MM-DD"),
    (["--as-of", "2099-01-01"], "between"), (["--as-of", "1999-01-01"], "between"),
    (["--store", "nowhere"], "no snapshot"), (["--rules", "nowhere.toml"], "nowhere.toml"),
    (["--domain", "nowhere.toml"], "nowhere.toml"), (["--format", "pdf"], "pdf"),
])  # fmt: skip
def test_wrong_input_gets_one_clear_message(args, said):
    done = run("rank", *args)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_teaches():
    done = run("rank", "--help")
    assert "Examples" in done.stdout and "--as-of" in done.stdout
