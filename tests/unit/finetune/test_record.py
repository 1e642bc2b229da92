"""The record of a run: kept through crashes, refused where it cannot be read, found by the beginning of its id."""

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


def kept(folder, state="finished", **fields):
    folder.mkdir(parents=True, exist_ok=True)
    record.keep(folder, record.Record(id=folder.name, state=state, started=record.now(), spec={}, origins={},
                                      stack="trl", **fields))  # fmt: skip
    return folder


@pytest.mark.parametrize(("text", "why"), [
    (None, "is no run: it has no record.json"), ('{"id": "a", "st', "cannot be read"), ("{}", "cannot be read"),
    ('{"attempts": [], "findings": [], "deviations": [], "new": 1}', "cannot be read"),
    ("null", "cannot be read"), (b"\xff", "cannot be read"),
])  # fmt: skip
def test_a_record_that_cannot_be_read_is_named(home, text, why):
    folder = kept(home / "whole").with_name("damaged")
    folder.mkdir()
    if text is not None:
        (folder / "record.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError, match=why):
        record.load(folder)
    assert [found.name for found, _ in record.every()] == ["whole"]


def test_one_of_another_version_is_refused(home):
    folder = kept(home / "old")
    told = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**told, "schema": 0}))
    with pytest.raises(RunError, match=rf"another version \(schema 0, not {record.SCHEMA}\)"):
        record.load(folder)


def test_runs_of_one_second_have_folders_of_their_own(home, monkeypatch):
    class Still(record.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls(2026, 11, 24, tzinfo=zone)

    monkeypatch.setattr(record, "datetime", Still)
    made = [record.new_folder(None, "owner/My Model").name for _ in range(2)]
    assert made == ["20261124-000000-my-model", "20261124-000000-my-model-1"]


def test_a_disk_that_takes_no_more_is_told_and_leaves_the_old_text(home, monkeypatch):
    folder = kept(home / "run")
    before = (folder / "record.json").read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=r"record\.json cannot be written: No space left on device; free some"):
        record.change(folder, record.load(folder), state="failed")
    assert (folder / "record.json").read_text() == before


def test_a_run_that_is_going_on_or_is_still_wanted_is_not_removed(home):

    going = kept(home / "going", "running", pids={"wrapper": os.getpid()})
    wanted, done = kept(home / "wanted"), kept(home / "done")
    assert record.remove([going, wanted, done], lambda folder: folder != wanted) == [done]
    assert going.is_dir()
    assert wanted.is_dir()
    assert not done.exists()


def test_a_run_that_failed_before_its_first_step_is_exported_with_what_there_is(home, tmp_path):
    folder = kept(home / "short", "failed")
    assert export.to_trackio(folder, tmp_path / "none.csv").read_text().strip() == ""
    step = {"event": "step", "step": 1, "time": 3.0, "loss": None, "learning_rate": 0.1}
    (folder / "events.jsonl").write_text(json.dumps(step) + "\n")
    header, row = export.to_trackio(folder, tmp_path / "one.csv").read_text().splitlines()
    assert len(header.split(",")) == len(row.split(",")) == 3
    assert set(export._series(folder, record.load(folder))) == {"learning_rate"}
