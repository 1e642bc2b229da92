"""The record of a run: safe from crashes, refused if unreadable, found by the beginning of its id."""

from __future__ import annotations

import json
import os

import pytest

from finetune import record
from finetune.after import export
from finetune.errors import DiskFull, RunError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "advisor" / "runs"


def write_run(folder, state="finished", **fields):
    folder.mkdir(parents=True, exist_ok=True)
    record.write_record(folder, record.Record(id=folder.name, state=state, started=record.utc_now(), spec={}, origins={},
                                      stack="trl", **fields))  # fmt: skip
    return folder


@pytest.mark.parametrize(("text", "why"), [
    (None, "is not a run: it has no record.json"), ('{"id": "a", "st', r"cannot read .*record\.json: "), ("{}", r"cannot read .*record\.json: "),
    ('{"attempts": [], "findings": [], "deviations": [], "new": 1}', r"cannot read .*record\.json: "),
    ("null", r"cannot read .*record\.json: "), (b"\xff", r"cannot read .*record\.json: "),
])  # fmt: skip
def test_unreadable_record_is_refused_with_its_reason(home, text, why):
    folder = write_run(home / "whole").with_name("damaged")
    folder.mkdir()
    if text is not None:
        (folder / "record.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError, match=why):
        record.read_record(folder)
    assert [path.name for path, _ in record.iterate_runs()] == ["whole"]


def test_record_of_another_version_is_refused(home):
    folder = write_run(home / "old")
    fields = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**fields, "schema": 0}))
    with pytest.raises(
        RunError, match=rf"another version .* schema 0, this version reads schema {record.SCHEMA}"
    ):
        record.read_record(folder)


def test_runs_of_the_same_second_have_different_folders(home, monkeypatch):
    class Still(record.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls(2026, 11, 24, tzinfo=zone)

    monkeypatch.setattr(record, "datetime", Still)
    names = [record.create_run_folder(None, "owner/My Model").name for _ in range(2)]
    assert names == ["20261124-000000-my-model", "20261124-000000-my-model-1"]


def test_full_disk_keeps_the_old_record(home, monkeypatch):
    folder = write_run(home / "run")
    before = (folder / "record.json").read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=r"cannot write .*record\.json: No space left on device; free some"):
        record.update_record(folder, record.read_record(folder), state="failed")
    assert (folder / "record.json").read_text() == before


def test_remove_keeps_running_runs_and_unconfirmed_ones(home):

    running = write_run(home / "going", "running", pids={"wrapper": os.getpid()})
    refused_run, old_run = write_run(home / "wanted"), write_run(home / "done")
    assert record.remove_runs([running, refused_run, old_run], lambda folder: folder != refused_run) == [
        old_run
    ]
    assert running.is_dir()
    assert refused_run.is_dir()
    assert not old_run.exists()


def test_export_of_a_run_that_failed_before_its_first_step(home, tmp_path):
    folder = write_run(home / "short", "failed")
    assert export.to_trackio(folder, tmp_path / "none.csv").read_text().strip() == ""
    step = {"event": "step", "step": 1, "time": 3.0, "loss": None, "learning_rate": 0.1}
    (folder / "events.jsonl").write_text(json.dumps(step) + "\n")
    header, row = export.to_trackio(folder, tmp_path / "one.csv").read_text().splitlines()
    assert len(header.split(",")) == len(row.split(",")) == 3
    assert set(export._metric_lines(folder, record.read_record(folder))) == {"learning_rate"}
