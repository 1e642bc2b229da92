"""Results of `advisor bench` from a stranger, as a file or in a store: each attack, and that it fails."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import date

import duckdb
import pytest
from finished_run import write_finished_run

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli.bench_results import MAX_BYTES, list_benchmarks, read_result
from advisor.cli.bench_tables import format_markdown, format_text
from advisor.domain.files import data_folder
from advisor.errors import AdvisorError, InputError
from advisor.facts import writing
from advisor.measure.benchmarks import read_benchmarks
from advisor.report.ranking import render
from finetune.bench.figures import measure_run

TRL, UNSLOTH = "huggingface/trl", "unslothai/unsloth"
RESULT = json.loads((data_folder().parent / "benchmarks" / "results" / "bench-cpu.json").read_text())
RUN = RESULT["runs"][0]
HUGE = "9" * 5000


@pytest.mark.parametrize(("change", "place"), [
    ({"tokens_per_second": float("nan")}, "runs.0.tokens_per_second"),
    ({"tokens_per_second": float("inf")}, "runs.0.tokens_per_second"),
    ({"tokens_per_second": -1.0}, "runs.0.tokens_per_second"),
    ({"tokens_per_second": 0}, "runs.0.tokens_per_second"),
    ({"tokens_per_second": "fast"}, "runs.0.tokens_per_second"),
    ({"tokens_per_second": None}, "runs.0.tokens_per_second"),
    ({"peak_bytes": 10**400}, "runs.0.peak_bytes"),
    ({"peak_bytes": 1.5}, "runs.0.peak_bytes"),
    ({"seed": 10**30}, "runs.0.seed"),
    ({"round": "C"}, "runs.0.round"),
    ({"stack": 5}, "runs.0.stack"),
    ({"gates": ["input"]}, "runs.0.gates"),
    ({"first_step_seconds": {"load": float("nan")}}, "runs.0.first_step_seconds"),
    ({"held_out": [1.0]}, "runs.0.held_out"),
])  # fmt: skip
def test_a_wrong_value_of_a_run_is_named(tmp_path, change, place):
    """Attack: NaN wins a comparison, a number of 400 digits ends the command. Defence: one form."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({**RESULT, "runs": [{**RUN, **change}]}))
    with pytest.raises(InputError, match=rf"bench\.json is not a result of `advisor bench`: .*{place}"):
        read_result(path)


@pytest.mark.parametrize("text", [
    "", "null", "[]", "{}", "[" * 100_000, '{"runs": [null]}', "\x00", HUGE, '{"runs": ' + HUGE + "}",
    *(json.dumps({**RESULT, name: value}) for name, value in (
        ("date", "2026"), ("date", "9999-12-31"), ("date", 5), ("date", "yesterday\x1b[2J"),
        ("noise_floor", float("nan")), ("noise_floor", -1), ("machine", {}), ("machine", []),
        ("machine", {**RESULT["machine"], "gpus": [5]}), ("machine", {**RESULT["machine"], "gpus": None}),
        ("machine", {**RESULT["machine"], "memory_bytes": 10**400}), ("settings", []), ("runs", RUN),
        ("runs", [RUN] * 10_001),
    )),
])  # fmt: skip
def test_a_malformed_result_is_one_message(tmp_path, text):
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bench\.json is not a result of `advisor bench`: ") as error:
        read_result(path)
    assert str(error.value).isprintable() and len(str(error.value)) < 500


def test_a_result_is_a_regular_file_of_a_limited_size(tmp_path):
    """Attack: a pipe without an end, a link to a device, a sparse file of 1 TB."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    reasons = {"fifo": "not a regular file", "link": "not a regular file", "sparse": f"the {MAX_BYTES:,}"}
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            read_result(tmp_path / name)


def test_every_sound_result_can_be_shown(tmp_path):
    """A loss without a base, no phases, a stack that advisor does not know: text, Markdown and claims."""
    odd = {**RUN, "base": None, "first_step_seconds": {}, "gates": {"made up": False}, "unknown": 1}
    failed = {**RUN, "stack": "not/a stack", "reason": "no space left", "tokens_per_second": 0.0}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({**RESULT, "runs": [RUN, odd, failed]}))
    bench = read_result(path)
    assert any("made up" in line for line in format_text(bench, 1.0))
    assert format_markdown(bench, None)
    assert {b.repository for b in list_benchmarks(bench)} == {TRL}
    path.write_text(json.dumps({**RESULT, "runs": [{**RUN, "stack": "../../x"}]}))
    with pytest.raises(InputError, match="unknown stack"):
        list_benchmarks(read_result(path))


def test_no_character_of_a_result_controls_the_terminal(tmp_path):
    """Attack: a reason clears the screen, forges a line, or turns the text around."""
    reason = "no\x1b[2J\rMEASURED\x9b1m\u202e space"
    path = tmp_path / "bench\x1b[2J.json"
    path.write_text(json.dumps({**RESULT, "runs": [{**RUN, "reason": reason}]}))
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "bench", "--from", path], capture_output=True, check=True
    )
    text = done.stdout.decode()
    assert "no\ufffd[2J\ufffdMEASURED\ufffd1m\ufffd space" in text
    assert not {"\x1b", "\r", "\x9b", "\u202e"} & set(text)
    path.write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "bench", "--from", path], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.count(b"\n"), b"\x1b" in done.stderr) == (2, 1, False)


@pytest.mark.parametrize(("file", "content"), [
    ("record.json", "[]"), ("record.json", "{"), ("events.jsonl", '{"event": "step", "time": "x"}\n' * 9),
    ("gate.json", "[1]"), ("gate.json", "{"), ("gate.json", "[" * 100_000),
])  # fmt: skip
def test_a_run_of_a_stranger_is_one_message(tmp_path, file, content):
    (write_finished_run(tmp_path) / file).write_text(content)
    with pytest.raises(AdvisorError, match=str(tmp_path)):
        measure_run("trl", 42, tmp_path)


ROW = {
    "repository": TRL, "day": "2026-11-24", "stack": "trl", "version": "1", "figure": "relative_throughput",
    "unit": "times trl", "value": 1.0, "low": 1.0, "high": 1.0, "setting": "round A", "machine": "a CPU",
    "source": "advisor bench", "retrieved_at": "2026-11-24",
}  # fmt: skip


def write_foreign_rows(store, changes):
    """Write the row once for each change, an SQL expression for a column, with the right hash."""
    writing.write_rows(store, "benchmarks", TRL, [ROW])
    path = store / "benchmarks" / f"{TRL.replace('/', '__')}.parquet"
    source = store.parent / "source.parquet"
    path.rename(source)
    row = f"SELECT * FROM '{source}'"
    queries = [row, *(f"SELECT * REPLACE ({sql} AS {column}) FROM ({row})" for column, sql in changes)]
    with duckdb.connect() as db:
        db.execute(f"COPY ({' UNION ALL '.join(queries)}) TO '{path}' (FORMAT parquet)")
    manifest = json.loads((store / "manifest.json").read_text())
    (entry,) = manifest["files"].values()
    entry |= {"rows": len(queries), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (store / "manifest.json").write_text(json.dumps(manifest))
    return store


NO_FIGURE = [
    ("value", "'nan'::DOUBLE"), ("value", "NULL"), ("value", "-1.0"), ("low", "-0.5"), ("low", "'nan'::DOUBLE"),
    ("high", "'infinity'::DOUBLE"), ("high", "1e300"), ("high", "0.5"), ("day", "NULL"),
    ("day", "DATE '0001-01-01'"), ("day", "DATE '290000-01-01'"), ("repository", "'own/other'"),
    ("repository", "NULL"),
]  # fmt: skip


def test_values_that_are_no_figures_are_not_read(tmp_path):
    """Attack: NaN wins each comparison, NULL ends the command. Defence: the view has only figures."""
    store = write_foreign_rows(tmp_path / "facts", NO_FIGURE)
    facts = read_benchmarks(store, [TRL], None)
    assert [(b.value, b.day) for b in facts.rows] == [(1.0, date(2026, 11, 24))]
    assert facts.measurements[TRL]["measured_throughput"].n == 1
    answer = recommend(read_request(Request(goal="fast", benchmarks=store)))
    assert render(answer, "table") and render(answer, "json")


def test_texts_are_texts_of_a_limited_length(tmp_path):
    changes = [(name, "NULL") for name in ("stack", "version", "unit", "setting", "machine", "source")]
    changes += [("machine", "repeat('x', 1000000)"), ("figure", "NULL")]
    facts = read_benchmarks(write_foreign_rows(tmp_path / "facts", changes), [TRL], None)
    assert len(facts.rows) == 1 + len(changes)
    assert max(len(b.machine) for b in facts.rows) == 300
    assert all(isinstance(getattr(b, name), str) for b in facts.rows for name, _ in changes)
    assert len(facts.measurements[TRL]["measured_throughput"].reason) < 3000


def test_more_rows_than_fit_into_memory_are_refused(tmp_path, monkeypatch):
    store = write_foreign_rows(tmp_path / "facts", [("version", f"'{n}'") for n in range(20)])
    monkeypatch.setattr("advisor.facts.database.MOST_FETCHED_ROWS", 20)
    with pytest.raises(AdvisorError, match="more than 20 rows of one kind"):
        read_benchmarks(store, [TRL], None)


def test_no_text_of_a_store_controls_the_terminal(tmp_path):
    """Attack: the name of a machine, a source or a tag moves the cursor. Defence: every text that leaves DuckDB."""
    evil = "'a\x1b[2J' || chr(13) || 'b'"
    store = write_foreign_rows(tmp_path / "facts", [("machine", evil), ("source", evil)])
    facts = read_benchmarks(store, [TRL], None)
    assert {b.machine for b in facts.rows} == {"a CPU", "a\ufffd[2J\ufffdb"}
    measured = facts.measurements[TRL]["measured_throughput"]
    assert "a\ufffd[2J\ufffdb" in measured.reason and "a\ufffd[2J\ufffdb" in measured.sources
    text = render(recommend(read_request(Request(goal="fast", benchmarks=store))), "json")
    assert "\\u001b" not in text and "\x1b" not in text
