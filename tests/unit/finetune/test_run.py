"""The state of a failed or interrupted run, and how it resumes; nothing trains here."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model

from finetune import attempt, record, run
from finetune.after import gguf, llama_cpp, merge
from finetune.callbacks import RunCallbacks
from finetune.data import dataset
from finetune.errors import DiskFull, RunError, StackEnvironmentError, TrainingError
from finetune.spec import RunSpec
from finetune.stacks import load_stack


@pytest.fixture
def folder(make_spec, tokenizer, tmp_path):
    """A run that has an adapter, and that failed afterwards."""
    run_spec = make_spec(tiny_model.sums(40)).spec
    target = tmp_path / "run"
    (target / "adapter").mkdir(parents=True)
    (target / "events.jsonl").write_text(
        '{"event": "started", "time": 1.0}\n{"event": "step", "step": 3, "loss": 2.5, "time": 6.0}\n'
        '{"event": "finished", "step": 3, "seconds": 4.0, "peak_rss_bytes": 1048576, "time": 8.5}\n'
    )
    data = dataset.prepare_dataset(run_spec, tokenizer, tmp_path / "tokens")
    dataset.link_dataset(data, target / "data")
    attempts = (record.Attempt(record.utc_now(), to_step=3, outcome="trained"),)
    record.write_record(target, record.Record(
        id="run", state="failed", started=record.utc_now(), spec=run_spec.model_dump(mode="json"), origins={},
        stack="trl", data=data.summary, model={"base": run_spec.model.base}, attempts=attempts,
    ))  # fmt: skip
    return target


def test_other_work_than_the_rows_say_is_an_error():
    work = {"tokens": 40, "trained": 20, "planned_tokens": 40, "planned_trained": 20}
    attempt.check_work(work)
    attempt.check_work({"tokens": 40, "trained": 20})  # packed: the order is the stack's own
    with pytest.raises(
        TrainingError, match=r"counted 21 trained where the rows have 20, so advisor does not use"
    ):
        attempt.check_work({**work, "trained": 21})


def test_resume_after_a_failed_evaluation_only_evaluates(folder, interpreter, monkeypatch):
    monkeypatch.setattr(run.attempt, "train", lambda *_: pytest.fail("trained again"))
    interpreter("echo out of memory >&2; exit 3")
    with pytest.raises(
        TrainingError, match=r"adapter.* is complete.*failed with exit code 3: out of memory.*--resume"
    ):
        run.resume_run(folder)
    assert record.read_record(folder).state == "failed"
    assert "out of memory" in (folder / "log.txt").read_text()
    evaluation = {"losses": {"base": 4.0, "adapter": 2.0}, "tokens": 30, "seconds": 1.5}
    interpreter(f"echo '{json.dumps(evaluation)}' > {folder / 'evaluation.json'}")
    run.resume_run(folder)
    after = record.read_record(folder)
    assert (after.state, after.losses["held_out"]["adapter"]) == ("finished", 2.0)
    with pytest.raises(RunError, match="is finished: there is nothing to resume"):
        run.resume_run(folder)


def test_run_with_a_base_that_was_not_judged_is_finished_and_says_so(folder, interpreter, monkeypatch):
    monkeypatch.setattr(run.attempt, "train", lambda *_: pytest.fail("trained again"))
    reason = "the 16-bit base needs 17.5 GiB, and 9.2 GiB are free"
    losses = {"base_quantised": 4.0, "adapter_quantised": 2.0}
    evaluation = {"losses": losses, "tokens": 30, "seconds": 1.5, "not_judged": {"base": reason}}
    interpreter(f"echo '{json.dumps(evaluation)}' > {folder / 'evaluation.json'}")
    run.resume_run(folder)
    after = record.read_record(folder)
    assert (after.state, after.losses["not_judged"]) == ("finished", {"base": reason})
    assert after.outcome == f"held-out loss 4.0000 → 2.0000 on 30 tokens; not judged: {reason}"
    assert f"| held-out loss, base | not judged: {reason} |" in (folder / "adapter" / "README.md").read_text()
    record.update_record(folder, replace(after, losses={}), state="failed")
    evaluation = {"losses": {}, "tokens": 0, "seconds": 1.5, "not_judged": {"base_quantised": reason}}
    interpreter(f"echo '{json.dumps(evaluation)}' > {folder / 'evaluation.json'}")
    run.resume_run(folder)
    after = record.read_record(folder)
    assert (after.state, after.outcome) == ("finished", f"trained; not evaluated ({reason})")
    assert run._describe_outcome(
        replace(after, losses={"held_out": {"adapter": 2.0}, "held_out_tokens": 30})
    ) == ("held-out loss 2.0000 on 30 tokens")
    assert "there are no held-out rows" not in (folder / "adapter" / "README.md").read_text()


@pytest.mark.parametrize("outcome", ["failed", "running"])
def test_resume_checks_an_unchecked_adapter_again_without_training(folder, interpreter, monkeypatch, outcome):
    run_record = record.read_record(folder)
    record.update_record(folder, run_record, attempts=(replace(run_record.attempts[0], outcome=outcome),))
    monkeypatch.setattr(run.launch, "run_process", lambda *_, **__: pytest.fail("trained again"))

    def refuse(*_):
        raise TrainingError("refused again")

    monkeypatch.setattr(load_stack("trl"), "export_adapter", refuse)
    with pytest.raises(TrainingError, match="refused again"):
        run.resume_run(folder)
    assert record.read_record(folder).attempts[-1].outcome == "failed"
    monkeypatch.setattr(load_stack("trl"), "export_adapter", lambda *_: folder / "adapter")
    evaluation = {"losses": {"base": 4.0, "adapter": 2.0}, "tokens": 30, "seconds": 1.5}
    interpreter(f"echo '{json.dumps(evaluation)}' > {folder / 'evaluation.json'}")
    run.resume_run(folder)
    after = record.read_record(folder)
    assert (after.state, after.losses["last_step"]) == ("finished", 2.5)
    assert (after.attempts[-1].to_step, after.attempts[-1].seconds) == (3, 7.5)
    assert after.timings_seconds["stack"] == 4.0


def test_resume_on_another_machine_does_not_write_the_record(folder, monkeypatch):
    before = (folder / "record.json").read_bytes()
    monkeypatch.setenv("NODE_RANK", "1")
    (folder / "go").touch()
    monkeypatch.setattr(
        load_stack("trl"), "command", lambda *_: [sys.executable, "-c", "raise SystemExit(4)"]
    )
    with pytest.raises(TrainingError, match=r"machine 1 failed with exit code 4; see .*log-1\.txt"):
        run.resume_run(folder)
    assert (folder / "record.json").read_bytes() == before


def test_waiting_for_the_first_machine_has_a_limit(tmp_path):
    with pytest.raises(TrainingError, match="the first machine did not start training"):
        run.torchrun.wait_for_first_node(tmp_path, timeout_seconds=0)


def test_user_sees_when_the_training_process_was_terminated(folder, monkeypatch):
    run_record = record.read_record(folder)
    (folder / "events.jsonl").unlink()
    result = run.launch.ProcessResult({"seconds": 1.0, "peak_rss_bytes": 2**20}, 2.0, was_terminated=True)
    monkeypatch.setattr(run.launch, "run_process", lambda *_, **__: result)
    monkeypatch.setattr(load_stack("trl"), "export_adapter", lambda *_: folder / "adapter")
    stages = []
    attempt.train(
        folder,
        RunSpec.model_validate(run_record.spec),
        load_stack("trl"),
        RunCallbacks(on_stage=stages.append),
    )
    assert "terminated its process" in stages[-1]
    assert record.read_record(folder).attempts[-1].outcome == "trained"


def test_gpu_run_asks_the_torch_of_its_environment_before_training(folder, monkeypatch):
    run_record = record.read_record(folder)
    (folder / "events.jsonl").unlink()
    record.update_record(folder, run_record, memory_bytes={"predicted": {"total": 9 * 2**30}})
    values = {**run_record.spec, "devices": {**run_record.spec["devices"], "kind": "cuda"}}
    run_spec = RunSpec.model_validate(values)
    calls, stages = [], []
    monkeypatch.setattr(run.launch, "run_process", lambda *_, **__: pytest.fail("started"))

    def answer(python, variables):
        calls.append((python, variables["CUDA_VISIBLE_DEVICES"]))
        return attempt.gpu_check.GpuSupport("2.13.0+cpu", None)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    monkeypatch.setattr(attempt.gpu_check, "query_gpus", answer)
    callbacks = RunCallbacks(on_stage=stages.append)
    with pytest.raises(
        StackEnvironmentError, match=r"trl cannot train on the GPU: torch 2\.13\.0\+cpu is built"
    ):
        attempt.train(folder, run_spec, load_stack("trl"), callbacks)
    assert [(str(python), visible) for python, visible in calls] == [(sys.executable, "1")]
    gpu = ("Tesla T4", (7, 5), 5 * 2**30)
    monkeypatch.setattr(
        attempt.gpu_check,
        "query_gpus",
        lambda *_: attempt.gpu_check.GpuSupport("2", "13.0", ("sm_75",), (gpu,)),
    )
    env = attempt.environment.ensure_environment(load_stack("trl").lock, ("torch",))
    attempt.check_gpus(folder, run_spec, load_stack("trl"), env, callbacks)
    assert stages[-1] == "Tesla T4 has 5.0 GiB free, but the run needs about 9.0 GiB"


@pytest.mark.parametrize(("training", "package", "message"), [
    ({"attention": "flash"}, "flash-attn", r'training\.attention = "flash" needs the package flash-attn.*use "sdpa"'),
    ({"liger_kernels": True}, "liger-kernel", r"liger_kernels = true needs the package liger-kernel.*use false"),
])  # fmt: skip
def test_package_that_only_some_specs_need_is_checked_before_training(folder, training, package, message):
    values = record.read_record(folder).spec
    run_spec = RunSpec.model_validate({**values, "training": {**values["training"], **training}})
    env = attempt.environment.Environment(Path("ENV/bin/python"), "ENV", {"torch": "2"})
    with pytest.raises(StackEnvironmentError, match=message) as error:
        attempt.check_packages(run_spec, env)
    assert f"uv pip install --python ENV/bin/python {package}" in str(error.value)
    attempt.check_packages(run_spec, replace(env, packages={package: "1"}))
    attempt.check_packages(RunSpec.model_validate(values), env)


def test_tokens_are_copied_if_hard_links_fail(folder, tmp_path, monkeypatch):
    def no_link(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    dataset.link_dataset(dataset.open_dataset(folder / "data"), tmp_path / "copy")
    assert dataset.open_dataset(tmp_path / "copy") == replace(
        dataset.open_dataset(folder / "data"), folder=tmp_path / "copy"
    )


def test_full_disk_does_not_hide_the_first_error(folder, monkeypatch, capsys):
    record.update_record(folder, record.read_record(folder), attempts=())

    def full(*_):
        raise DiskFull("no space")

    def fail(*_):
        monkeypatch.setattr(record, "write_text", full)
        raise TrainingError("the first error")

    monkeypatch.setattr(run, "_run_plan", fail)
    with pytest.raises(TrainingError, match="the first error"):
        run.resume_run(folder)
    assert "cannot update the record: no space" in capsys.readouterr().err


def test_only_a_finished_adapter_run_can_be_merged(folder, interpreter):
    with pytest.raises(RunError, match="is failed; only a finished run"):
        merge.merge_adapter(folder)
    run_record = record.update_record(folder, record.read_record(folder), state="finished")
    interpreter("mkdir $4; echo killed >&2; exit 9")
    with pytest.raises(TrainingError, match="merging failed with exit code 9: killed"):
        merge.merge_adapter(folder)
    assert not list(folder.glob("merged*")), "a draft was left behind"
    method = {**run_record.spec["method"], "name": "full"}
    record.update_record(folder, run_record, spec={**run_record.spec, "method": method})
    with pytest.raises(RunError, match="a full run has nothing to merge"):
        merge.merge_adapter(folder)


def test_gguf_merges_first_and_reports_a_failure_of_the_converter(folder, interpreter, tmp_path, monkeypatch):
    record.update_record(folder, record.read_record(folder), state="finished")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    (tmp_path / gguf.CONVERTER).touch()
    interpreter(
        'case "$2" in finetune.after.merge) mkdir "$4"; echo "[]";; *) echo unknown architecture; exit 1;; esac'
    )
    with pytest.raises(
        TrainingError, match=r"convert_hf_to_gguf\.py failed with exit code 1: unknown architecture"
    ):
        gguf.export_gguf(folder, tmp_path / "m.gguf")
    assert (folder / "merged").is_dir()
    assert not list(tmp_path.glob("*.gguf"))


def test_gguf_is_not_written_without_llama_cpp_to_try_it(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(llama_cpp, "is_installed", lambda: False)
    with pytest.raises(RunError, match=r"pip install 'library-advisor\[gguf\]', which installs xllamacpp"):
        gguf.export_gguf(folder, tmp_path / "m.gguf")


def test_merge_into_an_empty_folder(folder, interpreter, tmp_path):
    record.update_record(folder, record.read_record(folder), state="finished")
    interpreter('mkdir "$4"; touch "$4/model.safetensors"; echo "[]"')
    (tmp_path / "out").mkdir()
    assert (merge.merge_adapter(folder, tmp_path / "out") / "model.safetensors").is_file()
