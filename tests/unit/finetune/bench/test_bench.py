"""The bench judges before it compares; rows come in the Trainer's own order; claims have sources."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.cli import bench_claims
from advisor.cli.bench_tables import lines, markdown
from advisor.cli.commands.bench import figures, publishable, read, write
from advisor.domain.files import data_folder
from advisor.errors import AdvisorError, InputError
from finetune import record, run
from finetune.bench import run as bench
from finetune.bench.figures import GATES, Measured, judge, measure, reference
from finetune.bench.rows import REFERENCE
from finetune.bench.run import Bench
from finetune.errors import RunError, TrainingFailed, TrainingInterrupted
from finetune.machine import device_memory
from finetune.runners.progress import schedule
from finetune.runners.stream import Stream, order
from finetune.spec import compose

ONE = Measured("trl", 42, tokens_per_second=100.0, trained_tokens_per_second=40.0, step_seconds=1.0, step_spread=0.1,
               peak_bytes=2**30, held_out=1.0, base=2.0, first_loss=3.0, trainable=10, tokens=400, trained_tokens=90,
               method="lora", input=("base", "train", "test"), logits={"passed": True}, started="2026-11-24T12:00:00+00:00",
               seconds=90.0)  # fmt: skip
MACHINE = {"processor": "a CPU", "cores": 2, "memory_bytes": 24 * 2**30, "gpus": []}


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_order_is_that_of_transformers_trainer(epochs):
    from accelerate.data_loader import SeedableRandomSampler
    from torch import Generator

    sampler = SeedableRandomSampler(range(50), generator=Generator(), data_seed=7)
    theirs = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        theirs += list(sampler)
    assert order(50, 50 * epochs, 7) == theirs


def test_a_stream_goes_on_where_it_was_left(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"input_ids": [n] * (n + 1), "labels": [n]}) + "\n" for n in range(10))
    )
    whole = Stream(str(path), steps=6, batch=4, seed=1)
    rest = Stream(str(path), steps=6, batch=4, seed=1, first_step=2)
    assert [whole[i] for i in range(8, 24)] == [rest[i] for i in range(len(rest))]
    seen = sum(len(whole[i]["input_ids"]) for i in range(8))
    assert whole.tokens(2) == rest.tokens(2) == seen


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_the_schedule_is_that_of_transformers(name, warmup):
    import torch
    from transformers import get_scheduler

    def rates(make):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        scheduler = make(optimizer)
        told = []
        for _ in range(10):
            told.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        return told

    theirs = {"constant": "constant_with_warmup"}.get(name, name)
    ours = rates(lambda o: schedule(o, name, warmup=warmup, steps=10))
    assert ours == pytest.approx(rates(lambda o: get_scheduler(theirs, o, warmup, 10)))


def test_numbers_count_only_for_the_same_work():
    assert judge(ONE, ONE).counts
    for change, gate in (
        ({"first_loss": 3.02}, "first loss"),
        ({"trainable": 11}, "trainable"),
        ({"tokens": 399}, "tokens"),
        ({"trained_tokens": 89}, "trained tokens"),
        ({"input": ("base", "other", "test")}, "input"),
        ({"logits": {"passed": False}}, "logits"),
        ({"logits": {}}, "logits"),
    ):
        judged = judge(replace(ONE, **change), ONE)
        assert not judged.counts
        assert [name for name, passed in judged.gates.items() if not passed] == [gate]
    assert set(judge(ONE, ONE).gates) == set(GATES)
    assert set(GATES) - set(judge(replace(ONE, method="qlora"), ONE).gates) == {"logits"}


def test_a_failed_stack_is_a_row_with_its_reason_and_never_the_reference():
    failed = Measured("axolotl", 42, reason="no space left")
    assert reference([failed, ONE], ["axolotl", "trl"], 42, "A") == ONE
    assert reference([failed, ONE], ["axolotl", "trl"], 42, "B") == ONE
    told = "\n".join(lines(Bench((failed, ONE), 0.05, {}, {"processor": "x"}, "2026-11-24"), price=2.0))
    assert "axolotl, seed 42: failed: no space left" in told
    assert "noise floor: 5.0%" in told
    assert f"{2.0 / 3600 / 100 * 1e6:.2f}" in told


def test_figures_come_out_of_the_events(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").touch()
    (tmp_path / "data" / "summary.json").write_text(json.dumps({"train_sha256": "t", "test_sha256": "h"}))
    spec = compose(
        [("t", {"model": {"base": "a/b"}, "data": {"train": "x"}, "devices": {"kind": "cpu"}})]
    ).spec
    record.keep(tmp_path, record.Record(
        id="r", state="finished", started=record.now(), spec=spec.model_dump(mode="json"), origins={}, stack="trl",
        losses={"held_out": {"base": 2.0, "adapter": 1.5}}, environment={"packages": {"trl": "1.16.0"}},
        model={"fingerprint": "f"},
    ))  # fmt: skip
    marks = [("started", 0.0, {}), ("imported", 4.0, {}), ("loaded", 5.5, {"trainable": 10})]
    marks += [
        (
            "step",
            6.0 + 9 * (n > 0) + n,
            {"step": n + 1, "loss": 3.0 - n, "tokens": 50 * (n + 1), "trained": 10 * (n + 1)},
        )
        for n in range(6)
    ]
    marks += [("finished", 30.0, {"peak_rss_bytes": 7, "peak_gpu_bytes": 0})]
    (tmp_path / "events.jsonl").write_text(
        "".join(json.dumps({"event": e, "time": t, **f}) + "\n" for e, t, f in marks)
    )
    made = measure("trl", 42, tmp_path)
    assert made.tokens_per_second == pytest.approx(50.0)  # the slow second step is warm-up
    assert made.trained_tokens_per_second == pytest.approx(10.0)
    assert made.first_step_seconds == {"import": 4.0, "load": 1.5, "first step": 0.5}
    assert (made.peak_bytes, made.held_out, made.version, made.tokens) == (7, 1.5, "1.16.0", 300)
    assert (made.trained_tokens, made.input) == (60, ("f", "t", "h"))


def test_a_claim_names_its_date_and_source_and_is_set_beside_what_was_measured():
    claims = tomllib.loads((data_folder() / "claims.toml").read_text())["claim"]
    assert claims
    for claim in claims:
        assert all(claim[key] for key in ("stack", "against", "date", "says"))
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/blob/[0-9a-f]{40}/\S+\.md", claim["source"])
        assert all(p["result"] and p["setup"] and "https://" in p["source"] for p in claim["published"])
        assert claim["against"] == REFERENCE
    nothing = "\n".join(bench_claims.lines([]))
    assert "nothing that counts for unsloth; `advisor bench --rounds AB` measures" in nothing
    fast = replace(ONE, stack="torchtune", tokens_per_second=150.0)
    runs = tuple(judge(one, ONE) for one in (ONE, fast))
    told = "\n".join(bench_claims.lines(figures(Bench(runs, 0.02, {}, MACHINE, "2026-11-24"))))
    assert (
        "measured here: 1.50 (1.47–1.53) times the speed of trl, 1.00 times its peak memory (round A" in told
    )
    assert "a CPU, 2 cores, 24 GiB; 2026-11-24)" in told
    assert "nothing that counts for trl at its best" in told
    best = judge(replace(ONE, stack="torchtune", tokens_per_second=180.0, round="B"), ONE)
    told = "\n".join(bench_claims.lines(figures(Bench((*runs, best), 0.02, {}, MACHINE, "2026-11-24"))))
    assert "1.80 (1.76–1.84) times the speed of trl" in told
    assert "1.50 (" not in told


def test_a_result_file_is_read_again_and_written_as_a_page(tmp_path):
    runs = (ONE, replace(ONE, seed=43, tokens_per_second=120.0), Measured("axolotl", 42, reason="no | space"))
    made = Bench(tuple(judge(one, ONE) for one in runs), 0.05, {"model.base": "/m/x"}, MACHINE, "2026-11-24")
    write(made, tmp_path / "own" / "bench.json", tmp_path / "r.json")
    again = read(tmp_path / "r.json")
    assert lines(again, 2.0) == lines(made, 2.0)
    assert json.loads((tmp_path / "r.json").read_text())["seconds"] == 180.0
    assert publishable(made)["settings"] == {"model.base": "x"}
    page = markdown(again, None)
    assert "| trl |  | 2 | 110.00 (100.00–120.00) | 40.00 |" in "\n".join(page)
    assert "- axolotl, seed 42: failed: no | space" in page
    assert page[-1] == "- 3 runs took 3.0 minutes"
    for wrong in ("{}", "[]", "nothing", '{"runs": [{"stick": 1}]}'):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(InputError, match="result of `advisor bench`"):
            read(tmp_path / "wrong.json")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "missing.json")


class Stacks:
    """Runs that write a record and no more, and a person who interrupts one of them."""

    def __init__(self, interrupted_at):
        self.begun, self.interrupted_at = [], interrupted_at

    def start(self, composed, *, watch):
        folder = Path(composed.spec.output)
        folder.mkdir(parents=True)
        self.begun.append(folder.name)
        told = record.Record(id=folder.name, state="finished", started=record.now(), stack="trl", origins={},
                             spec=composed.spec.model_dump(mode="json"))  # fmt: skip
        if len(self.begun) == self.interrupted_at:
            record.keep(folder, replace(told, state="interrupted"))
            (folder / "events.jsonl").write_text('{"event": "step", "time": 1.0}\n')
            raise TrainingInterrupted("stopped at step 1")
        record.keep(folder, told)


def test_an_interrupted_bench_keeps_what_is_finished_and_goes_on(tmp_path, monkeypatch):
    stacks = Stacks(interrupted_at=3)
    monkeypatch.setattr(run, "start", stacks.start)
    monkeypatch.setattr(bench.gate, "check", lambda folder: None)
    monkeypatch.setattr(bench, "measure", lambda stack, seed, folder: replace(ONE, stack=stack, seed=seed))
    job = {"model.base": "m", "data.train": "d", "method.name": "lora"}

    def go():
        return bench.bench(job, ["trl", "torchtune", "litgpt"], [1, 2], tmp_path, watch=run.Watch())

    with pytest.raises(
        TrainingInterrupted, match=rf"2 of 7 runs are kept; the same command with -o {tmp_path} goes"
    ):
        go()
    assert stacks.begun == ["trl-1", "torchtune-1", "litgpt-1"]
    made = go()
    # The order of the stacks rotates; what was interrupted begins anew, what was finished does not.
    assert stacks.begun[3:] == ["litgpt-1", "torchtune-2", "litgpt-2", "trl-2", "trl-1-again"]
    assert all(one.counts for one in made.runs)
    assert made.noise_floor == 0.0
    told = record.load(tmp_path / "trl-2")
    record.keep(tmp_path / "trl-2", replace(told, state="running", pids={"wrapper": os.getpid()}))
    with pytest.raises(RunError, match="trl-2 is running"):
        go()


def test_a_bench_in_which_everything_failed_has_reasons_and_no_noise_floor(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise TrainingFailed("no memory")

    monkeypatch.setattr(run, "start", refuse)
    made = bench.bench(
        {"model.base": "m", "data.train": "d"}, ["trl", "litgpt"], [1], tmp_path, watch=run.Watch()
    )
    assert [(one.stack, one.reason) for one in made.runs] == [("trl", "no memory"), ("litgpt", "no memory")]
    assert made.noise_floor is None
    assert reference(made.runs, ["trl", "litgpt"], 1, "A") is None


def test_a_repeat_that_failed_gives_no_noise_floor_and_a_trained_run_is_resumed(tmp_path, monkeypatch):
    stacks = Stacks(interrupted_at=1)
    monkeypatch.setattr(run, "start", stacks.start)
    job = {"model.base": "m", "data.train": "d", "method.name": "qlora"}
    measured = iter([ONE])

    def once(stack, seed, folder):
        for one in measured:
            return one
        raise TrainingFailed("too few steps")

    monkeypatch.setattr(bench, "measure", once)
    with pytest.raises(TrainingInterrupted):
        bench.bench(job, ["trl"], [42], tmp_path, watch=run.Watch())
    (tmp_path / "trl-42" / "events.jsonl").write_text('{"event": "finished", "time": 2.0}\n')
    resumed = []
    monkeypatch.setattr(run, "resume", lambda folder, _: resumed.append(folder.name))
    made = bench.bench(job, ["trl"], [42], tmp_path, watch=run.Watch())
    assert resumed == ["trl-42"]
    assert [(one.again, one.reason) for one in made.runs] == [(False, ""), (True, "too few steps")]
    assert made.noise_floor is None


def test_a_run_that_tells_too_little_is_not_measured(tmp_path):
    record.keep(
        tmp_path,
        record.Record(id="r", state="finished", started=record.now(), stack="trl", origins={}, spec={}),
    )
    (tmp_path / "events.jsonl").write_text('{"event": "step", "step": 1, "time": 1.0}\n')
    with pytest.raises(AdvisorError, match="tells too little to be measured: 1 steps"):
        measure("trl", 1, tmp_path)


def test_what_the_user_set_stands_over_the_benchs_own_and_that_over_the_demos():
    tables = {"model": {"base": "m"}, "data": {"train": "d"}, "training": {"steps": 9, "seed": 4}}
    made = compose([("--demo", tables), ("--set", {"training": {"seed": 5}})])
    told = bench.settings(made, {"training.steps": 30, "training.seed": 1, "data.max_length": 64})
    assert told == {"model.base": "m", "data.train": "d", "training.steps": 30, "training.seed": 5,
                    "data.max_length": 64}  # fmt: skip


def test_a_seed_without_the_reference_gives_no_ratio():
    from finetune.bench.rows import _ratios

    other = replace(ONE, stack="litgpt", seed=7, tokens_per_second=50.0)
    mine = [other, replace(other, seed=42)]
    assert list(_ratios(mine, [ONE, *mine], lambda one: one.tokens_per_second)) == [0.5]


def test_at_its_best_a_stack_may_see_other_tokens_but_train_nothing_else():
    best = replace(ONE, round="B", tokens=500, first_loss=9.0)
    assert judge(best, ONE).counts
    assert not judge(replace(best, trainable=11), ONE).counts


def test_the_drivers_peak_is_kept_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = tmp_path / "run"
    run.mkdir()
    with device_memory.watched(run):
        pass
    assert device_memory.peak(run) == 0  # no GPU: nothing is written, and nothing is made up
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 1024\necho 512\n")
    tool.chmod(0o755)
    with device_memory.watched(run):
        pass
    assert device_memory.peak(run) == 1536 * 2**20
