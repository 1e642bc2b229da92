"""What a run leaves when it does not come to its end, and what going on from there does; nothing trains here."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace

import pytest
import tiny_model

from finetune import record, run
from finetune.after import merge
from finetune.data import dataset
from finetune.errors import DiskFull, RunError, TrainingFailed
from finetune.spec import RunSpec
from finetune.stacks import stack


@pytest.fixture
def folder(composed, tokenizer, tmp_path):
    """A run whose adapter is handed over, and that failed afterwards."""
    made = composed(tiny_model.sums(40))
    target = tmp_path / "run"
    (target / "adapter").mkdir(parents=True)
    (target / "events.jsonl").write_text(
        '{"event": "started", "time": 1.0}\n{"event": "step", "step": 3, "loss": 2.5, "time": 6.0}\n'
        '{"event": "finished", "step": 3, "seconds": 4.0, "peak_rss_bytes": 1048576, "time": 8.5}\n'
    )
    data = dataset.prepare(made.spec, tokenizer, tmp_path / "tokens")
    run._link(data.folder, target / "data")
    attempts = (record.Attempt(record.now(), to_step=3, outcome="trained"),)
    record.keep(target, record.Record(
        id="run", state="failed", started=record.now(), spec=made.spec.model_dump(mode="json"), origins={},
        stack="trl", data=data.summary, model={"base": made.spec.model.base}, attempts=attempts,
    ))  # fmt: skip
    return target


def test_after_a_failed_evaluation_the_run_goes_on_with_that_and_trains_nothing(
    folder, interpreter, monkeypatch
):
    monkeypatch.setattr(run, "_train", lambda *_: pytest.fail("trained again"))
    interpreter("echo out of memory >&2; exit 3")
    with pytest.raises(TrainingFailed, match=r"kept in .*adapter.*ended with 3: out of memory.*--resume"):
        run.resume(folder)
    assert record.load(folder).state == "failed"
    assert "out of memory" in (folder / "log.txt").read_text()
    told = {"losses": {"base": 4.0, "adapter": 2.0}, "tokens": 30, "seconds": 1.5}
    interpreter(f"echo '{json.dumps(told)}' > {folder / 'evaluation.json'}")
    run.resume(folder)
    after = record.load(folder)
    assert (after.state, after.losses["held_out"]["adapter"]) == ("finished", 2.0)
    with pytest.raises(RunError, match="is finished; there is nothing to resume"):
        run.resume(folder)


@pytest.mark.parametrize("outcome", ["failed", "running"])
def test_an_adapter_that_was_refused_or_not_yet_judged_is_judged_again_without_training(
    folder, interpreter, monkeypatch, outcome
):
    told = record.load(folder)
    record.change(folder, told, attempts=(replace(told.attempts[0], outcome=outcome),))
    monkeypatch.setattr(run.launch, "launch", lambda *_, **__: pytest.fail("trained again"))

    def refuse(*_):
        raise TrainingFailed("refused again")

    monkeypatch.setattr(stack("trl"), "hand_over", refuse)
    with pytest.raises(TrainingFailed, match="refused again"):
        run.resume(folder)
    assert record.load(folder).attempts[-1].outcome == "failed"
    monkeypatch.setattr(stack("trl"), "hand_over", lambda *_: folder / "adapter")
    evaluated = {"losses": {"base": 4.0, "adapter": 2.0}, "tokens": 30, "seconds": 1.5}
    interpreter(f"echo '{json.dumps(evaluated)}' > {folder / 'evaluation.json'}")
    run.resume(folder)
    after = record.load(folder)
    assert (after.state, after.losses["last_step"]) == ("finished", 2.5)
    assert (after.attempts[-1].to_step, after.attempts[-1].seconds) == (3, 7.5)
    assert after.timings_seconds["stack"] == 4.0


def test_another_machine_that_goes_on_lends_its_processes_and_leaves_the_record_alone(folder, monkeypatch):
    before = (folder / "record.json").read_bytes()
    monkeypatch.setenv("NODE_RANK", "1")
    (folder / "go").touch()
    monkeypatch.setattr(stack("trl"), "command", lambda *_: [sys.executable, "-c", "raise SystemExit(4)"])
    with pytest.raises(TrainingFailed, match=r"machine 1 ended with exit code 4; see .*log-1\.txt"):
        run.resume(folder)
    assert (folder / "record.json").read_bytes() == before


def test_a_first_machine_that_stays_silent_is_not_waited_for_for_ever(tmp_path):
    with pytest.raises(TrainingFailed, match="the first machine said nothing"):
        run.spread.wait_for_the_first(tmp_path, patience_seconds=0)


def test_a_trainer_that_lingers_is_told(folder, monkeypatch):
    told = record.load(folder)
    (folder / "events.jsonl").unlink()
    ended = run.launch.Ended({"seconds": 1.0, "peak_rss_bytes": 2**20}, 2.0, lingered=True)
    monkeypatch.setattr(run.launch, "launch", lambda *_, **__: ended)
    monkeypatch.setattr(stack("trl"), "hand_over", lambda *_: folder / "adapter")
    said = []
    run._train(folder, RunSpec.model_validate(told.spec), stack("trl"), run.Watch(stage=said.append))
    assert "its process did not leave" in said[-1]
    assert record.load(folder).attempts[-1].outcome == "trained"


def test_tokens_are_copied_where_they_cannot_be_linked(folder, tmp_path, monkeypatch):
    def no_link(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    run._link(folder / "data", tmp_path / "copy")
    assert dataset.open_dataset(tmp_path / "copy") == replace(
        dataset.open_dataset(folder / "data"), folder=tmp_path / "copy"
    )


def test_a_full_disk_hides_no_first_error(folder, monkeypatch, capsys):
    told = record.load(folder)
    record.change(folder, told, attempts=())

    def full(*_):
        raise DiskFull("no space")

    def broken(*_):
        monkeypatch.setattr(record, "write_text", full)
        raise TrainingFailed("the first error")

    monkeypatch.setattr(run, "_begin", broken)
    with pytest.raises(TrainingFailed, match="the first error"):
        run.resume(folder)
    assert "the record could not be completed: no space" in capsys.readouterr().err


def test_only_a_finished_run_of_an_adapter_is_merged(folder, interpreter):
    with pytest.raises(RunError, match="is failed; only a finished run"):
        merge.merge(folder)
    told = record.change(folder, record.load(folder), state="finished")
    interpreter("mkdir $4; echo killed >&2; exit 9")
    with pytest.raises(TrainingFailed, match="merging ended with 9: killed"):
        merge.merge(folder)
    assert not list(folder.glob("merged*")), "a draft was left behind"
    method = {**told.spec["method"], "name": "full"}
    record.change(folder, told, spec={**told.spec, "method": method})
    with pytest.raises(RunError, match="full has nothing to merge"):
        merge.merge(folder)


def test_a_model_is_converted_once_it_is_merged_and_a_failure_is_told(
    folder, interpreter, tmp_path, monkeypatch
):
    record.change(folder, record.load(folder), state="finished")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    with pytest.raises(RunError, match=r"clone llama\.cpp"):
        merge.gguf(folder, tmp_path / "m.gguf")
    (tmp_path / merge.CONVERTER).touch()
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    interpreter('case "$2" in finetune.after.merge) mkdir "$4";; *) echo unknown architecture; exit 1;; esac')
    with pytest.raises(TrainingFailed, match=r"convert_hf_to_gguf\.py ended with 1: unknown architecture"):
        merge.gguf(folder, tmp_path / "m.gguf")
    assert (folder / "merged").is_dir()
    interpreter('touch "$4"')
    assert merge.gguf(folder, tmp_path / "m.gguf").is_file()


def test_an_empty_folder_may_be_merged_into(folder, interpreter, tmp_path):
    record.change(folder, record.load(folder), state="finished")
    interpreter('mkdir "$4"; touch "$4/model.safetensors"')
    (tmp_path / "out").mkdir()
    assert (merge.merge(folder, tmp_path / "out") / "model.safetensors").is_file()
