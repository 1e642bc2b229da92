"""What our runners do at every step, on a model of one layer: events, checkpoints, going on, the end."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import torch

from finetune.runners import emit, probe, trl_sft
from finetune.runners.emit import NotFinite, Stopped
from finetune.runners.progress import Progress, schedule
from finetune.runners.stream import Stream


class Tiny(torch.nn.Module):
    """An embedding that stays as it is, and a layer that is trained."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(9, 4).requires_grad_(requires_grad=False)
        self.layer = torch.nn.Linear(4, 9)

    def forward(self, ids):
        return self.layer(self.embedding(ids))


@pytest.fixture
def made(tmp_path):
    """A run of six steps that saves every second one: the progress, and a step of training."""
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    rows = tmp_path / "data" / "train.jsonl"
    rows.write_text(
        "".join(json.dumps({"input_ids": [n, 1, 2], "labels": [n, 1, 2]}) + "\n" for n in range(8))
    )

    def make(first_step=0, **changes):
        stream = Stream(str(rows), steps=6, batch=2, seed=1, first_step=first_step)
        asked = {"steps": 6, "every": 1, "validate_every": 0, "save_every": 2, "keep": 1, **changes}
        progress = Progress(tmp_path, stream, **asked)
        model = Tiny()
        optimizer = torch.optim.AdamW(model.layer.parameters(), lr=0.1)
        scheduler = schedule(optimizer, "linear", warmup=1, steps=6)
        progress.loaded(time.monotonic(), model, optimizer, scheduler)

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

    return make


def told(run, kind):
    return [e for e in map(json.loads, (run / "events.jsonl").read_text().splitlines()) if e["event"] == kind]


def test_a_run_that_goes_on_from_a_checkpoint_ends_where_an_unbroken_one_does(made, tmp_path):
    whole, step = made()
    for n in range(1, 7):
        step(n)
        if n == 2:
            (tmp_path / "kept").mkdir()
            (tmp_path / "work" / "checkpoint-2" / "state.pt").rename(tmp_path / "kept" / "state.pt")
    assert [c.name for c in (tmp_path / "work").glob("checkpoint-*")] == ["checkpoint-6"], "keep = 1"
    assert [e["step"] for e in told(tmp_path, "saved")] == [2, 4, 6]
    (tmp_path / "kept").rename(tmp_path / "work" / "checkpoint-2")
    later, step = made(first_step=2)
    assert not later.model.layer.weight.equal(whole.model.layer.weight)
    for n in range(3, 7):
        step(n)
    assert later.model.layer.weight.equal(whole.model.layer.weight)
    steps = told(tmp_path, "step")
    assert steps[2]["loss"] == steps[6]["loss"]
    assert steps[5]["learning_rate"] == steps[9]["learning_rate"] == 0.0


def test_a_loss_that_is_not_a_number_is_told_and_ends_the_training(made, tmp_path):
    progress, _ = made(every=5)
    with pytest.raises(NotFinite, match="the loss of step 1 is nan"):
        progress.step(1, float("nan"), 0.1)
    assert len(told(tmp_path, "step")) == 1
    assert not list((tmp_path / "work").iterdir())


def test_one_that_is_asked_to_stop_saves_first(made, tmp_path):
    _, step = made(save_every=100, every=5)
    (tmp_path / "stop").touch()
    with pytest.raises(Stopped):
        step(1)
    assert (tmp_path / "work" / "checkpoint-1" / emit.COMPLETE).is_file()
    assert told(tmp_path, "stopping")[0]["why"] == "asked"
    assert not told(tmp_path, "step"), "every fifth is told"


def test_validation_and_the_end_are_told_and_the_adapter_is_kept(made, tmp_path):
    from safetensors.torch import load_file

    progress, step = made(validate_every=2)
    progress.validate = lambda: 1.25
    step(1)
    step(2)
    assert [(e["step"], e["loss"]) for e in told(tmp_path, "validated")] == [(2, 1.25)]
    progress.finish({"layer.lora_A": progress.model.layer.weight}, time.monotonic())
    kept = load_file(tmp_path / "work" / "native.safetensors")["layer.lora_A"]
    assert kept.equal(progress.model.layer.weight.detach())
    answer = load_file(tmp_path / "work" / "probe.safetensors")
    assert answer["logits"].shape == (1, 3, 9)
    assert told(tmp_path, "finished")[0]["step"] == 6


def test_a_process_beside_the_first_answers_the_probe_and_writes_nothing(made, tmp_path):
    progress, _ = made()
    probe.leave(progress.model, tmp_path, quiet=True)
    assert not list((tmp_path / "work").iterdir())


def test_trls_validation_is_told_and_its_labels_are_counted_while_it_trains(tmp_path):
    say = emit.Emitter(tmp_path)
    trl_sft.reporter(say).on_log(None, SimpleNamespace(global_step=4), None, logs={"eval_loss": 1.5})
    assert [(e["step"], e["loss"]) for e in told(tmp_path, "validated")] == [(4, 1.5)]
    trainer = SimpleNamespace(compute_loss=lambda model, inputs: "loss")
    trl_sft.count(trainer, say)
    labels = {"labels": torch.tensor([[7, emit.IGNORED, 5, 6]])}
    for training in (True, False):
        assert trainer.compute_loss(SimpleNamespace(training=training), labels) == "loss"
    assert int(say.trained) == 2


def test_the_end_of_a_runner_is_an_event_and_an_exit_code(tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise Stopped

    def full(*_, **__):
        monkeypatch.setattr(emit.Emitter, "__call__", full)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(emit.sys, "argv", ["runner", "config", str(tmp_path)])
    assert emit.main(stopped) == 0
    assert emit.main(full) == 1
    assert "the event could not be written either: disk_full: " in capsys.readouterr().err
    assert len(told(tmp_path, "started")) == 2


def test_another_users_process_is_alive_and_a_system_without_proc_is_answered_too(monkeypatch):
    def not_ours(*_):
        raise PermissionError

    def no_proc(*_, **__):
        raise FileNotFoundError

    here = emit.os.getpid()
    monkeypatch.setattr(emit.Path, "read_text", no_proc)
    assert emit.rss_bytes() == 0
    assert emit.alive(here)
    monkeypatch.setattr(emit.os, "kill", not_ours)
    assert emit.alive(here)
