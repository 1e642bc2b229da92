"""Versions of one stack: the first one that does other work has a name, and one that cannot run has a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finished_run import write_finished_run
from safetensors.numpy import save_file
from typer.testing import CliRunner

from advisor.cli import app, bench_tables, load
from advisor.cli.bench_results import list_benchmarks, write_result
from advisor.errors import InputError, UnknownName
from finetune import record, run
from finetune.bench import parity
from finetune.bench import run as bench
from finetune.bench.figures import GATES, measure_run
from finetune.bench.result import parse_result
from finetune.callbacks import RunCallbacks
from finetune.errors import StackEnvironmentError, TrainingError, TrainingInterruption
from finetune.process import version_lock
from finetune.stacks.shared import equivalence

ALL_GATES = {*GATES, "losses", "held-out loss", "adapter"}
SAME = dict.fromkeys(ALL_GATES, True)


class Versions:
    """Stand-ins for training: a version has its own losses and logits, or an error."""

    def __init__(self, monkeypatch, changes=(), errors=()):
        self.changes, self.errors, self.folders = dict(changes), dict(errors), []
        monkeypatch.setattr(run, "start_run", self.start)
        monkeypatch.setattr(version_lock, "lock_version", self.lock)

    def lock(self, stack_lock, version):
        assert stack_lock.name == "trl.lock"
        if isinstance(error := self.errors.get(version), StackEnvironmentError):
            raise error

    def start(self, composed_spec, *, callbacks, version):
        folder = Path(composed_spec.spec.output)
        self.folders.append(folder.name)
        if version in self.errors:
            raise self.errors[version]
        folder.mkdir(parents=True)
        write_finished_run(folder)
        change = self.changes.get(folder.name, self.changes.get(version, {}))
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        for event in events:
            if event["event"] == "step":
                event["loss"] += change.get("loss", 0.0) if event["step"] >= change.get("from", 1) else 0.0
                event["tokens"] += change.get("tokens", 0) * event["step"]
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        run_record = record.read_record(folder)
        packages = {"trl": version, "transformers": change.get("transformers", "5.23.0")}
        held_out = {"base": 2.0, "adapter": 1.5 + change.get("held_out", 0.0)}
        spec = {**run_record.spec, "method": {**run_record.spec["method"], "name": "lora"}}
        environment = {"packages": packages}
        record.update_record(
            folder, run_record, spec=spec, environment=environment, losses={"held_out": held_out}
        )
        (folder / "gate.json").write_text('{"passed": true, "tolerance": 0.0001, "scale": 20.0}')
        (folder / "work").mkdir()
        logits = np.full((1, 2, 3), 20.0, np.float32)
        logits[0, 1, 2] += change.get("logits", 0.0)
        save_file({"logits": logits}, folder / equivalence.ADAPTER_LOGITS)


JOB = {"model.base": "m", "data.train": "d", "method.name": "lora"}


def compare(folder, versions=("1.14.0", "1.15.0", "1.16.0"), seeds=(42,)):
    return parity.run_parity(JOB, "trl", versions, seeds, folder, callbacks=RunCallbacks())


def list_failures(result):
    return {
        f"{one.version}{' again' if one.again else ''}": [g for g, passes in one.gates.items() if not passes]
        for one in result.runs
    }


def test_versions_that_do_the_same_work_part_in_nothing(tmp_path, monkeypatch):
    versions = Versions(monkeypatch)
    result = compare(tmp_path)
    assert versions.folders == ["trl-1.14.0-42", "trl-1.15.0-42", "trl-1.16.0-42", "trl-1.14.0-42-again"]
    assert [one.gates for one in result.runs] == [SAME] * 4
    assert result.runs[1].differences == {"losses": 0.0, "held-out loss": 0.0, "adapter": 0.0}
    assert result.runs[1].losses == (3.0, 2.0, 1.0, 0.0, -1.0, -2.0)
    assert parity.describe_parting(result.runs) == (
        "no version parts from trl 1.14.0: 1.15.0, 1.16.0 did the same work within the bounds"
    )


@pytest.mark.parametrize(("change", "gates"), [
    ({"loss": 0.02}, ["first loss", "losses"]),
    ({"loss": 0.02, "from": 5}, ["losses"]),
    ({"loss": 0.009}, []),
    ({"tokens": 1}, ["tokens"]),
    ({"held_out": 0.02}, ["held-out loss"]),
    ({"logits": 0.01}, ["adapter"]),
    ({"logits": 0.001}, []),
])  # fmt: skip
def test_the_first_version_that_parts_is_named_with_what_differs(tmp_path, monkeypatch, change, gates):
    Versions(monkeypatch, {"1.15.0": change, "1.16.0": change})
    result = compare(tmp_path)
    assert list_failures(result) == {"1.14.0": [], "1.15.0": gates, "1.16.0": gates, "1.14.0 again": []}
    expected = f"trl 1.15.0 is the first version that parts from 1.14.0, in: {', '.join(gates)}"
    assert (parity.describe_parting(result.runs) == expected) == bool(gates)


def test_a_later_version_that_parts_alone_is_named(tmp_path, monkeypatch):
    Versions(monkeypatch, {"1.16.0": {"logits": 3.0}})
    assert parity.describe_parting(compare(tmp_path).runs) == (
        "trl 1.16.0 is the first version that parts from 1.14.0, in: adapter"
    )


def test_a_difference_with_any_seed_counts(tmp_path, monkeypatch):
    versions = Versions(monkeypatch, {"trl-1.15.0-43": {"loss": 1.0}})
    result = compare(tmp_path, seeds=(42, 43))
    assert len(versions.folders) == 7
    assert parity.describe_parting(result.runs).startswith("trl 1.15.0 is the first")


def test_nothing_is_concluded_if_one_version_differs_from_itself(tmp_path, monkeypatch):
    Versions(monkeypatch, {"trl-1.14.0-42-again": {"loss": 0.5}, "1.15.0": {"loss": 0.5}})
    assert "trl 1.14.0 differs from itself in a second run" in parity.describe_parting(compare(tmp_path).runs)


def test_a_version_that_cannot_run_has_its_reason_and_is_no_reference(tmp_path, monkeypatch):
    errors = {
        "1.14.0": StackEnvironmentError("cannot resolve trl 1.14.0: no such version"),
        "1.15.0": TrainingError("training failed before the first step: unknown key max_length"),
    }
    versions = Versions(monkeypatch, {"1.17.0": {"tokens": 5}}, errors)
    result = compare(tmp_path, ("1.14.0", "1.15.0", "1.16.0", "1.17.0"))
    assert versions.folders == ["trl-1.15.0-42", "trl-1.16.0-42", "trl-1.17.0-42", "trl-1.16.0-42-again"]
    assert [one.reason for one in result.runs[:3]] == [*map(str, errors.values()), ""]
    assert parity.describe_parting(result.runs).startswith(
        "trl 1.17.0 is the first version that parts from 1.16.0"
    )
    text = "\n".join(bench_tables.format_text(result, None))
    assert "trl 1.15.0, seed 42: training failed before the first step: unknown key max_length" in text
    assert "not measured" in text


def test_an_environment_with_another_version_is_no_result(tmp_path, monkeypatch):
    Versions(monkeypatch)
    monkeypatch.setattr(bench, "measure_run", lambda *words: replace(measure_run(*words), version="1.16.0"))
    assert [one.reason for one in compare(tmp_path).runs] == ["its environment has trl 1.16.0"] * 2 + [""] * 2


def test_interrupted_comparison_resumes_with_what_is_finished(tmp_path, monkeypatch):
    versions = Versions(monkeypatch, errors={"1.15.0": TrainingInterruption("stopped at step 1")})
    with pytest.raises(TrainingInterruption, match=rf"1 of 4 runs are complete; .* -o {tmp_path} to resume"):
        compare(tmp_path)
    versions.errors.clear()
    compare(tmp_path)
    assert versions.folders == [
        "trl-1.14.0-42", "trl-1.15.0-42", "trl-1.15.0-42", "trl-1.16.0-42", "trl-1.14.0-42-again"
    ]  # fmt: skip


def test_result_is_read_again_and_is_no_figure_of_a_ranking(tmp_path, monkeypatch):
    Versions(monkeypatch, {"1.16.0": {"loss": 0.5, "transformers": "5.9.0"}})
    result = compare(tmp_path)
    write_result(result, tmp_path / "bench.json", None)
    again = parse_result((tmp_path / "bench.json").read_bytes())
    assert bench_tables.format_text(again, None) == bench_tables.format_text(result, None)
    assert list_benchmarks(again) == []
    page = bench_tables.format_markdown(again, None)
    rows = [line for line in page if line.startswith("| 1.")]
    changed = "| 1.16.0 | 42 | 3.5000 | -1.5000 | 1.5000 | 5.0e-01 | 0 | 0 | first loss, losses |"
    assert rows == [
        "| 1.14.0 | 42 | 3.0000 | -2.0000 | 1.5000 |  |  |  | the reference | the same |",
        "| 1.15.0 | 42 | 3.0000 | -2.0000 | 1.5000 | 0 | 0 | 0 | nothing | the same |",
        f"{changed} transformers 5.9.0 |",
        "| 1.14.0 again | 42 | 3.0000 | -2.0000 | 1.5000 | 0 | 0 | 0 | nothing | the same |",
    ]
    assert "- trl 1.16.0 is the first version that parts from 1.14.0, in: first loss, losses" in page


def test_option_is_a_stack_and_its_versions():
    assert parity.parse_versions("trl==1.16.0, 1.9.2,1.16") == ("trl", ("1.9.2", "1.16.0"))
    for text, message in (
        ("trl", "at least two versions, such as trl==1.15.0,1.16.0"),
        ("trl==1.15.0", "at least two versions"),
        ("trl==1.15.0,1.15.0", "at least two versions"),
        ("trl==new,1.15.0", "invalid version: 'new'"),
    ):
        with pytest.raises(InputError, match=message):
            parity.parse_versions(text)
    with pytest.raises(UnknownName, match="unknown stack 'trll'"):
        parity.parse_versions("trll==1.15.0,1.16.0")


@pytest.mark.parametrize(("errors", "code"), [
    ({}, 0),
    ({"1.15.0": TrainingError("no memory")}, 3),
    ({"1.14.0": TrainingError("no memory"), "1.15.0": TrainingError("no memory")}, 4),
])  # fmt: skip
def test_exit_code_says_whether_every_version_was_measured(tmp_path, monkeypatch, errors, code):
    load("bench")
    Versions(monkeypatch, errors=errors)
    model, data = tmp_path / "model", tmp_path / "rows.jsonl"
    model.mkdir()
    (model / "config.json").write_text("{}")
    data.write_text("{}\n")
    words = [
        "bench",
        "--cpu",
        "--quick",
        "--parity",
        "trl==1.14.0,1.15.0,1.16.0",
        "-o",
        str(tmp_path / "runs"),
    ]
    result = CliRunner().invoke(app, [*words, "--model", str(model), "--data", str(data)])
    assert result.exit_code == code, result.output
    assert "to the facts" not in result.output
    assert json.loads((tmp_path / "runs" / "bench.json").read_text())["settings"]["stack"] == "trl"
    shown = CliRunner().invoke(app, ["bench", "--from", str(tmp_path / "runs" / "bench.json")])
    assert shown.exit_code == 0
    assert ("there is nothing to compare" in shown.output) == (code == 4)


def test_versions_and_stacks_are_two_comparisons():
    load("bench")
    words = ["bench", "--cpu", "--quick", "--parity", "trl==1.15.0,1.16.0"]
    for other in (["--stacks", "trl,litgpt"], ["--rounds", "AB"]):
        result = CliRunner().invoke(app, [*words, *other])
        assert str(result.exception) == (
            "--parity compares versions of one stack: remove --stacks and --rounds"
        )
