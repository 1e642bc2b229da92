"""The bench checks runs before it compares them; rows have the Trainer's order; claims have sources."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import write_finished_run

from advisor.cli import bench_claims
from advisor.cli.bench_results import list_benchmarks, publishable_result, read_result, write_result
from advisor.cli.bench_tables import format_markdown, format_text
from advisor.domain.files import data_folder
from advisor.errors import AdvisorError, InputError
from finetune import record, run
from finetune.bench import run as bench
from finetune.bench.figures import GATES, RunFigures, check_gates, find_reference, measure_run
from finetune.bench.result import parse_result
from finetune.bench.rows import REFERENCE
from finetune.bench.run import Bench
from finetune.callbacks import RunCallbacks
from finetune.errors import RunError, SpecError, TrainingError, TrainingInterruption
from finetune.machine import device_memory
from finetune.runners.progress import build_scheduler
from finetune.runners.stream import Stream, open_stream, row_order
from finetune.spec import compose_spec, resolve_spec

ONE = RunFigures("trl", 42, tokens_per_second=100.0, trained_tokens_per_second=40.0, step_seconds=1.0, step_spread=0.1,
               peak_bytes=2**30, held_out=1.0, base=2.0, first_loss=3.0, trainable=10, tokens=400, trained_tokens=90,
               method="lora", input=("base", "train", "test"), logits={"passed": True}, started="2026-11-24T12:00:00+00:00",
               seconds=90.0)  # fmt: skip
MACHINE = {"processor": "a CPU", "cores": 2, "memory_bytes": 24 * 2**30, "gpus": []}


@pytest.mark.parametrize("epochs", [1, 3])
def test_row_order_is_that_of_transformers_trainer(epochs):
    from accelerate.data_loader import SeedableRandomSampler
    from torch import Generator

    sampler = SeedableRandomSampler(range(50), generator=Generator(), data_seed=7)
    theirs = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        theirs += list(sampler)
    assert row_order(50, 50 * epochs, 7) == theirs


def test_stream_resumes_at_its_first_step(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"input_ids": [n] * (n + 1), "labels": [n]}) + "\n" for n in range(10))
    )
    options = {"samples": 24, "steps": 6, "batch": 4, "seed": 1}
    whole, rest = open_stream(str(path), **options), open_stream(str(path), **options, first_step=2)
    assert [whole[i] for i in range(8, 24)] == [rest[i] for i in range(len(rest))] == list(rest)
    count = sum(len(whole[i]["input_ids"]) for i in range(8))
    assert whole.count_work(2) == rest.count_work(2) == {"tokens": count, "trained": 0}


def test_epochs_follow_each_other_and_only_the_last_batch_has_fillers():
    rows = [{"input_ids": [n, n], "labels": [-100, n]} for n in range(5)]
    stream = Stream(rows, samples=15, steps=4, batch=4, seed=1)
    values = [row["input_ids"][0] for row in stream]
    assert [sorted(values[n : n + 5]) for n in (0, 5, 10)] == [[0, 1, 2, 3, 4]] * 3
    assert len(values) == 16
    assert set(stream[15]["labels"]) == {-100}
    assert stream.count_work(4) == {"tokens": 30, "trained": 15}


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_schedule_is_that_of_transformers(name, warmup):
    import torch
    from transformers import get_scheduler

    def list_rates(make):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        scheduler = make(optimizer)
        rates = []
        for _ in range(10):
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        return rates

    theirs = {"constant": "constant_with_warmup"}.get(name, name)
    ours = list_rates(lambda o: build_scheduler(o, name, warmup=warmup, steps=10))
    assert ours == pytest.approx(list_rates(lambda o: get_scheduler(theirs, o, warmup, 10)))


def test_figures_count_only_for_the_same_work():
    assert check_gates(ONE, ONE).counts
    for change, gate in (
        ({"first_loss": 3.02}, "first loss"),
        ({"trainable": 11}, "trainable"),
        ({"tokens": 399}, "tokens"),
        ({"trained_tokens": 89}, "trained tokens"),
        ({"input": ("base", "other", "test")}, "input"),
        ({"logits": {"passed": False}}, "logits"),
        ({"logits": {}}, "logits"),
    ):
        result = check_gates(replace(ONE, **change), ONE)
        assert not result.counts
        assert [name for name, passes in result.gates.items() if not passes] == [gate]
    assert set(check_gates(ONE, ONE).gates) == set(GATES)
    assert set(check_gates(replace(ONE, method="qlora"), ONE).gates) == set(GATES)


def test_failed_run_has_a_reason_and_is_never_the_reference():
    failure = RunFigures("axolotl", 42, reason="no space left")
    assert find_reference([failure, ONE], ["axolotl", "trl"], 42, "A") == ONE
    assert find_reference([failure, ONE], ["axolotl", "trl"], 42, "B") == ONE
    text = "\n".join(
        format_text(Bench((failure, ONE), 0.05, {}, {"processor": "x"}, "2026-11-24"), price=2.0)
    )
    assert "axolotl, seed 42: failed: no space left" in text
    assert "noise floor: 5.0%" in text
    assert f"{2.0 / 3600 / 100 * 1e6:.2f}" in text


def test_speed_has_its_share_of_the_limit_and_a_note_if_it_looks_wrong():
    fast, usual, slow = (
        replace(ONE, stack=name, tokens_per_second=speed, speed_limit=20_000.0)
        for name, speed in (("trl", 21_000.0), ("litgpt", 9_000.0), ("axolotl", 3_900.0))
    )
    assert [run.share_of_limit for run in (fast, usual, slow, ONE)] == [1.05, 0.45, 0.195, None]
    bench = Bench((fast, usual, slow), None, {}, {"processor": "x"}, "2026-11-24")
    text = "\n".join(format_text(bench, price=None))
    assert "% of" in text.split("\n\n")[0]  # the heading wraps
    assert "45.00" in text
    assert "trl, seed 42: its speed is 105% of what the card can compute, so tokens or time are wrong" in text
    assert "axolotl, seed 42: its speed is 20% of what the card can compute; look for a slow kernel" in text
    assert "litgpt, seed 42:" not in text
    plain = "\n".join(format_text(replace(bench, runs=(ONE,)), price=None))
    assert "% of" not in plain.split("\n\n")[0]
    values = {**bench.as_dict(), "machine": MACHINE}
    assert parse_result(json.dumps(values).encode()).runs[0].speed_limit == 20_000.0


def test_limit_of_a_run_comes_from_the_cards_in_its_record(tmp_path):
    from finetune.bench.figures import _find_speed_limit

    (tmp_path / "config.json").write_text(json.dumps({
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
    }))  # fmt: skip
    layer = {"model": {"base": str(tmp_path)}, "data": {"train": "x"}}
    spec = resolve_spec(compose_spec([("t", layer)]), gpus=1).spec
    gpu = {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 80 * 2**30, "capability": 9.0}
    run_record = record.Record(
        id="r", state="finished", started=record.utc_now(), spec=spec.model_dump(mode="json"), origins={},
        stack="trl", environment={"machine": {"gpus": [gpu]}},
    )  # fmt: skip
    summary = {"train_tokens": 20480, "train_rows": 10}
    assert _find_speed_limit(run_record, summary) == pytest.approx(21_200, rel=0.01)
    assert _find_speed_limit(replace(run_record, environment={}), summary) == 0.0


def test_figures_come_from_the_events(tmp_path):
    write_finished_run(tmp_path)
    figures = measure_run("trl", 42, tmp_path)
    assert figures.tokens_per_second == pytest.approx(50.0)  # the slow second step is warm-up
    assert figures.trained_tokens_per_second == pytest.approx(10.0)
    assert figures.first_step_seconds == {"import": 4.0, "load": 1.5, "first step": 0.5}
    assert (figures.peak_bytes, figures.held_out, figures.version, figures.tokens) == (7, 1.5, "1.16.0", 300)
    assert (figures.trained_tokens, figures.input) == (60, ("f", "t", "h"))


def test_claims_have_a_date_and_a_source_and_stand_beside_measurements():
    claims = tomllib.loads((data_folder() / "claims.toml").read_text())["claim"]
    assert claims
    for claim in claims:
        assert all(claim[key] for key in ("stack", "against", "date", "says"))
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/blob/[0-9a-f]{40}/\S+\.md", claim["source"])
        assert all(p["result"] and p["setup"] and "https://" in p["source"] for p in claim["published"])
        assert claim["against"] == REFERENCE
    nothing = "\n".join(bench_claims.format_claims([]))
    assert "no number of unsloth that counts; measure it with `advisor bench --rounds AB`" in nothing
    fast = replace(ONE, stack="torchtune", tokens_per_second=150.0)
    runs = tuple(check_gates(one, ONE) for one in (ONE, fast))
    text = "\n".join(
        bench_claims.format_claims(list_benchmarks(Bench(runs, 0.02, {}, MACHINE, "2026-11-24")))
    )
    assert (
        "measured here: 1.50 (1.47–1.53) times the speed of trl, 1.00 times its peak memory (round A" in text
    )
    assert "a CPU, 2 cores, 24 GiB; 2026-11-24)" in text
    assert "no number of trl at its best that counts" in text
    best = check_gates(replace(ONE, stack="torchtune", tokens_per_second=180.0, round="B"), ONE)
    text = "\n".join(
        bench_claims.format_claims(list_benchmarks(Bench((*runs, best), 0.02, {}, MACHINE, "2026-11-24")))
    )
    assert "1.80 (1.76–1.84) times the speed of trl" in text
    assert "1.50 (" not in text


def test_result_file_survives_a_round_trip_and_becomes_a_page(tmp_path):
    runs = (
        ONE,
        replace(ONE, seed=43, tokens_per_second=120.0),
        RunFigures("axolotl", 42, reason="no | space"),
    )
    result = Bench(
        tuple(check_gates(one, ONE) for one in runs), 0.05, {"model.base": "/m/x"}, MACHINE, "2026-11-24"
    )
    write_result(result, tmp_path / "own" / "bench.json", tmp_path / "r.json")
    again = read_result(tmp_path / "r.json")
    assert format_text(again, 2.0) == format_text(result, 2.0)
    assert json.loads((tmp_path / "r.json").read_text())["seconds"] == 180.0
    assert publishable_result(result)["settings"] == {"model.base": "x"}
    reason = (
        "the log is in /home/me/runs/trl-42/log.txt. `advisor train --resume ~/runs/trl-42` continues 1/2"
    )
    published = publishable_result(replace(result, runs=(RunFigures("trl", 42, reason=reason),)))["runs"][0]
    assert published["reason"] == ("the log is in log.txt. `advisor train --resume trl-42` continues 1/2")
    page = format_markdown(again, None)
    assert "| trl |  | 2 | 110.00 (100.00–120.00) | 40.00 |" in "\n".join(page)
    assert "- axolotl, seed 42: failed: no | space" in page
    assert page[-1] == "- 3 runs took 3.0 minutes"
    for wrong in ("{}", "[]", "nothing", '{"runs": [{"stick": 1}]}'):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(InputError, match="result of `advisor bench`"):
            read_result(tmp_path / "wrong.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_result(tmp_path / "missing.json")


class Stacks:
    """Stand-ins for runs: each one only writes a record, and one of them is interrupted."""

    def __init__(self, interruption):
        self.names, self.interruption = [], interruption

    def start(self, composed_spec, *, callbacks, version=""):
        folder = Path(composed_spec.spec.output)
        folder.mkdir(parents=True)
        self.names.append(folder.name)
        run_record = record.Record(id=folder.name, state="finished", started=record.utc_now(), stack="trl", origins={},
                             spec=composed_spec.spec.model_dump(mode="json"))  # fmt: skip
        if len(self.names) == self.interruption:
            record.write_record(folder, replace(run_record, state="interrupted"))
            (folder / "events.jsonl").write_text('{"event": "step", "time": 1.0}\n')
            raise TrainingInterruption("stopped at step 1")
        record.write_record(folder, run_record)


def test_interrupted_bench_keeps_finished_runs_and_resumes(tmp_path, monkeypatch):
    stacks = Stacks(interruption=3)
    monkeypatch.setattr(run, "start_run", stacks.start)
    monkeypatch.setattr(bench.equivalence, "check_logits", lambda folder: None)
    monkeypatch.setattr(
        bench, "measure_run", lambda stack, seed, folder: replace(ONE, stack=stack, seed=seed)
    )
    job = {"model.base": "m", "data.train": "d", "method.name": "lora"}

    def start():
        return bench.run_bench(
            job, ["trl", "torchtune", "litgpt"], [1, 2], tmp_path, callbacks=RunCallbacks()
        )

    with pytest.raises(
        TrainingInterruption,
        match=rf"2 of 7 runs are complete; run the same command with -o {tmp_path} to resume",
    ):
        start()
    assert stacks.names == ["trl-1", "torchtune-1", "litgpt-1"]
    result = start()
    # The order of the stacks rotates; the interrupted run starts again, finished runs do not.
    assert stacks.names[3:] == ["litgpt-1", "torchtune-2", "litgpt-2", "trl-2", "trl-1-again"]
    assert all(one.counts for one in result.runs)
    assert result.noise_floor == 0.0
    run_record = record.read_record(tmp_path / "trl-2")
    record.write_record(
        tmp_path / "trl-2", replace(run_record, state="running", pids={"wrapper": os.getpid()})
    )
    with pytest.raises(RunError, match="trl-2 is running"):
        start()


def test_bench_without_a_successful_run_has_reasons_and_no_noise_floor(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise TrainingError("no memory")

    monkeypatch.setattr(run, "start_run", refuse)
    result = bench.run_bench(
        {"model.base": "m", "data.train": "d"}, ["trl", "litgpt"], [1], tmp_path, callbacks=RunCallbacks()
    )
    assert [(one.stack, one.reason) for one in result.runs] == [("trl", "no memory"), ("litgpt", "no memory")]
    assert result.noise_floor is None
    assert find_reference(result.runs, ["trl", "litgpt"], 1, "A") is None


def test_failed_repetition_gives_no_noise_floor_and_a_trained_run_resumes(tmp_path, monkeypatch):
    stacks = Stacks(interruption=1)
    monkeypatch.setattr(run, "start_run", stacks.start)
    job = {"model.base": "m", "data.train": "d", "method.name": "qlora"}
    figures = iter([ONE])

    def measure_once(stack, seed, folder):
        for one in figures:
            return one
        raise TrainingError("too few steps")

    monkeypatch.setattr(bench, "measure_run", measure_once)
    monkeypatch.setattr(bench.equivalence, "check_logits", lambda _: {})
    with pytest.raises(TrainingInterruption):
        bench.run_bench(job, ["trl"], [42], tmp_path, callbacks=RunCallbacks())
    (tmp_path / "trl-42" / "events.jsonl").write_text('{"event": "finished", "time": 2.0}\n')
    resumptions = []
    monkeypatch.setattr(run, "resume_run", lambda folder, _: resumptions.append(folder.name))
    result = bench.run_bench(job, ["trl"], [42], tmp_path, callbacks=RunCallbacks())
    assert resumptions == ["trl-42"]
    assert [(one.again, one.reason) for one in result.runs] == [(False, ""), (True, "too few steps")]
    assert result.noise_floor is None


def test_run_with_too_few_steps_has_no_figures(tmp_path):
    record.write_record(
        tmp_path,
        record.Record(id="r", state="finished", started=record.utc_now(), stack="trl", origins={}, spec={}),
    )
    (tmp_path / "events.jsonl").write_text('{"event": "step", "step": 1, "time": 1.0}\n')
    with pytest.raises(AdvisorError, match=r"too few steps to measure in .*: 1 \(at least 4 are needed\)"):
        measure_run("trl", 1, tmp_path)


def test_settings_of_the_user_win_over_those_of_the_bench_and_these_over_the_demos():
    tables = {"model": {"base": "m"}, "data": {"train": "d"}, "training": {"steps": 9, "seed": 4}}
    composed_spec = compose_spec([("--demo", tables), ("--set", {"training": {"seed": 5}})])
    settings = bench.merge_settings(
        composed_spec, {"training.steps": 30, "training.seed": 1, "data.max_length": 64}
    )
    assert settings == {"model.base": "m", "data.train": "d", "training.steps": 30, "training.seed": 5,
                        "data.max_length": 64}  # fmt: skip


def test_length_of_a_run_is_the_one_that_comes_last():
    demo = ("--demo", {"model": {"base": "m"}, "data": {"train": "d"}, "training": {"epochs": 2.0}})
    assert bench.merge_settings(compose_spec([demo]), bench.QUICK)["training.steps"] == 10
    assert "training.epochs" not in bench.merge_settings(compose_spec([demo]), bench.QUICK)
    own = bench.merge_settings(compose_spec([demo, ("--set", {"training": {"epochs": 3.0}})]), bench.QUICK)
    assert (own["training.epochs"], "training.steps" in own) == (3.0, False)
    short = compose_spec([demo, ("--set", {"training": {"steps": 3}})])
    with pytest.raises(SpecError, match=r"training\.steps = 3 is too short .* needs at least 4 steps"):
        bench.merge_settings(short, bench.QUICK)


def test_seed_without_the_reference_gives_no_ratio():
    from finetune.bench.rows import _compute_ratios

    other = replace(ONE, stack="litgpt", seed=7, tokens_per_second=50.0)
    runs = [other, replace(other, seed=42)]
    assert list(_compute_ratios(runs, [ONE, *runs], lambda one: one.tokens_per_second)) == [0.5]


def test_round_b_allows_other_tokens_but_no_other_parameters():
    best = replace(ONE, round="B", tokens=500, first_loss=9.0)
    assert check_gates(best, ONE).counts
    assert not check_gates(replace(best, trainable=11), ONE).counts


def test_peak_of_the_driver_goes_to_the_runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = tmp_path / "run"
    run.mkdir()
    with device_memory.record_peak(run):
        pass
    assert device_memory.read_peak_bytes(run) == 0  # no GPU: nothing is written
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 1024\necho 512\n")
    tool.chmod(0o755)
    with device_memory.record_peak(run):
        pass
    assert device_memory.read_peak_bytes(run) == 1536 * 2**20
