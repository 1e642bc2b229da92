"""What our runners do at every step, on a model with one layer: events, checkpoints, resuming, the end."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import torch

from finetune.runners import emit, probe, trl_sft
from finetune.runners.emit import NotFinite, StopTraining
from finetune.runners.progress import StepProgress, build_scheduler
from finetune.runners.stream import open_stream


class Tiny(torch.nn.Module):
    """A frozen embedding and a trained layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(9, 4).requires_grad_(requires_grad=False)
        self.layer = torch.nn.Linear(4, 9)

    def forward(self, ids):
        return self.layer(self.embedding(ids))


@pytest.fixture
def make(tmp_path):
    """Return a function that starts a run of six steps, saved every second step, and returns it with its step."""
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    rows = tmp_path / "data" / "train.jsonl"
    rows.write_text(
        "".join(json.dumps({"input_ids": [n, 1, 2], "labels": [n, 1, 2]}) + "\n" for n in range(8))
    )

    def start(first_step=0, **changes):
        stream = open_stream(str(rows), samples=12, steps=6, batch=2, seed=1, first_step=first_step)
        options = {"steps": 6, "every": 1, "validate_every": 0, "save_every": 2, "keep": 1, **changes}
        progress = StepProgress(tmp_path, stream, **options)
        model = Tiny()
        optimizer = torch.optim.AdamW(model.layer.parameters(), lr=0.1)
        scheduler = build_scheduler(optimizer, "linear", warmup=1, steps=6)
        progress.start(time.monotonic(), model, optimizer, scheduler)

        def step(n):
            ids = torch.tensor(
                [stream[i]["input_ids"] for i in range(2 * (n - 1 - first_step), 2 * (n - first_step))]
            )
            loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            progress.step(n, loss.item(), scheduler.get_last_lr()[0])

        return progress, step

    return start


def read_events(run, kind):
    return [e for e in map(json.loads, (run / "events.jsonl").read_text().splitlines()) if e["event"] == kind]


def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(make, tmp_path):
    whole, step = make()
    for n in range(1, 7):
        step(n)
        if n == 2:
            (tmp_path / "copy").mkdir()
            (tmp_path / "work" / "checkpoint-2" / "state.pt").rename(tmp_path / "copy" / "state.pt")
    assert [c.name for c in (tmp_path / "work").glob("checkpoint-*")] == ["checkpoint-6"], "keep = 1"
    assert [e["step"] for e in read_events(tmp_path, "saved")] == [2, 4, 6]
    (tmp_path / "copy").rename(tmp_path / "work" / "checkpoint-2")
    later, step = make(first_step=2)
    assert not later.model.layer.weight.equal(whole.model.layer.weight)
    for n in range(3, 7):
        step(n)
    assert later.model.layer.weight.equal(whole.model.layer.weight)
    steps = read_events(tmp_path, "step")
    assert steps[2]["loss"] == steps[6]["loss"]
    assert steps[5]["learning_rate"] == steps[9]["learning_rate"] == 0.0


def test_nan_loss_is_reported_and_ends_training(make, tmp_path):
    progress, _ = make(every=5)
    with pytest.raises(NotFinite, match="the loss of step 1 is nan"):
        progress.step(1, float("nan"), 0.1)
    assert len(read_events(tmp_path, "step")) == 1
    assert not list((tmp_path / "work").iterdir())


def test_stop_request_saves_first(make, tmp_path):
    _, step = make(save_every=100, every=5)
    (tmp_path / "stop").touch()
    with pytest.raises(StopTraining):
        step(1)
    assert (tmp_path / "work" / "checkpoint-1" / emit.COMPLETE).is_file()
    assert read_events(tmp_path, "stopping")[0]["why"] == "asked"
    assert not read_events(tmp_path, "step"), "only every fifth step is reported"


def test_validation_and_end_are_reported_and_the_adapter_is_saved(make, tmp_path):
    from safetensors.torch import load_file

    progress, step = make(validate_every=2)
    progress.validate = lambda: 1.25
    step(1)
    step(2)
    assert [(e["step"], e["loss"]) for e in read_events(tmp_path, "validated")] == [(2, 1.25)]
    progress.finish({"layer.lora_A": progress.model.layer.weight}, time.monotonic())
    weight = load_file(tmp_path / "work" / "native.safetensors")["layer.lora_A"]
    assert weight.equal(progress.model.layer.weight.detach())
    tensors = load_file(tmp_path / "work" / "probe.safetensors")
    assert tensors["logits"].shape == (1, 3, 9)
    assert read_events(tmp_path, "finished")[0]["step"] == 6


def test_other_processes_run_the_probe_and_write_nothing(make, tmp_path):
    progress, _ = make()
    probe.save_probe(progress.model, tmp_path, quiet=True)
    assert not list((tmp_path / "work").iterdir())


def test_trl_callback_reports_validation_and_counts_work_during_training(tmp_path):
    emitter = emit.Emitter(tmp_path)
    trl_sft.build_callback(emitter).on_log(
        None, SimpleNamespace(global_step=4), None, logs={"eval_loss": 1.5}
    )
    assert [(e["step"], e["loss"]) for e in read_events(tmp_path, "validated")] == [(4, 1.5)]
    trainer = SimpleNamespace(compute_loss=lambda model, inputs: "loss")
    trl_sft.count_work(trainer, emitter)
    none = emit.IGNORE_INDEX
    batch = {
        "labels": torch.tensor([[7, none, 5, 6, none], [none, none, 2, none, none], [none] * 5]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]),
    }
    for training in (True, False):
        assert trainer.compute_loss(SimpleNamespace(training=training), batch) == "loss"
    assert emitter.count_work() == {"tokens": 8, "trained": 3}, "the last row is a filler"


def test_runner_ends_with_an_event_and_an_exit_code(tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise StopTraining

    def fill_disk(*_, **__):
        monkeypatch.setattr(emit.Emitter, "__call__", fill_disk)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(emit.sys, "argv", ["runner", "config", str(tmp_path)])
    assert emit.main(stop) == 0
    assert emit.main(fill_disk) == 1
    assert "cannot write the event: disk_full: " in capsys.readouterr().err
    assert len(read_events(tmp_path, "started")) == 2


def test_process_checks_work_for_other_users_and_without_proc(monkeypatch):
    def not_ours(*_):
        raise PermissionError

    def no_proc(*_, **__):
        raise FileNotFoundError

    pid = emit.os.getpid()
    monkeypatch.setattr(emit.Path, "read_text", no_proc)
    assert emit.rss_bytes() == 0
    assert emit.is_alive(pid)
    monkeypatch.setattr(emit.os, "kill", not_ours)
    assert emit.is_alive(pid)
