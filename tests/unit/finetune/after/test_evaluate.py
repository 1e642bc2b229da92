"""Batches of held-out rows, and where an answer starts; tests/train has the tests of the losses."""

from __future__ import annotations

import math
import re
import shutil
import weakref
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import tiny_model

from finetune import record
from finetune.after import evaluate, losses
from finetune.data import dataset
from finetune.data.encoded_row import EncodedRow
from finetune.machine import hardware
from finetune.runners.emit import IGNORE_INDEX


def test_batches_have_rows_of_similar_length_and_a_limited_size(monkeypatch):
    monkeypatch.setattr(losses.memory, "EVALUATION_TOKENS", 10)
    rows = [EncodedRow([7] * length, [7] * length) for length in (4, 11, 3, 5, 5, 2)]
    sizes = [[len(row.input_ids) for row in batch] for batch in losses.batch_by_length(rows)]
    assert sizes == [[2, 3], [4, 5], [5], [11]], (
        "padding counts, and a row that is too long has its own batch"
    )
    assert list(losses.batch_by_length([])) == []


def test_second_half_of_a_plain_text_is_the_answer(make_spec, tokenizer, tmp_path, monkeypatch):
    rows = [{"text": f"what is {i} plus {i} ? it is {2 * i} ."} for i in range(10)]
    composed_spec = make_spec(
        [*rows, *tiny_model.sums(20)], data={"evaluation_share": 0.5}, evaluation={"generations": 9}
    )
    dataset.prepare_dataset(composed_spec.spec, tokenizer, tmp_path / "c").folder.rename(tmp_path / "data")
    prompts = []
    monkeypatch.setattr(
        evaluate, "generate_text", lambda _, __, prompt, ___: prompts.append(prompt) or "text"
    )
    texts = evaluate._generate_answers(SimpleNamespace(), tokenizer, tmp_path, composed_spec.spec)
    data = dataset.open_dataset(tmp_path / "data")
    test_rows = evaluate.read_held_out(data, 9)
    halves = {row.labels[0] != IGNORE_INDEX for row in test_rows}
    assert halves == {True, False}, "both kinds are held out"
    for row, prompt in zip(test_rows, prompts, strict=True):
        if row.labels[0] != IGNORE_INDEX:
            assert prompt == row.input_ids[: len(row.input_ids) // 2]
        else:
            assert set(row.labels[: len(prompt)]) == {IGNORE_INDEX}
    answers = {"base": texts, "adapter": ["better"] * len(texts)}
    pairs = evaluate._pair_answers(data, tokenizer, composed_spec.spec, answers)
    assert {(one["base"], one["adapter"]) for one in pairs} == {("text", "better")}


class StubModel:
    """A model that gives each token the same probability; its base gives the first token more."""

    device = "cpu"

    def __init__(self, *, is_base=False):
        self.is_base = is_base
        self.myself = self  # a cycle, as PEFT's models have

    def __call__(self, input_ids, attention_mask):
        import torch

        logits = torch.zeros(*input_ids.shape, 700)
        logits[..., 0] += 5 * self.is_base
        return SimpleNamespace(logits=logits)

    @contextmanager
    def disable_adapter(self):
        self.is_base = True
        yield
        self.is_base = False


@pytest.fixture
def judge(make_spec, tokenizer, tmp_path, monkeypatch):
    """Return a function that evaluates a run of a method, and the loads of its models."""
    loads, living = [], []

    def load(folder, spec, *, is_quantised, is_trained=True):
        loads.append((is_quantised, is_trained))
        assert not any(reference() for reference in living), "an earlier model is still in memory"
        model = StubModel(is_base=not is_trained)
        living.append(weakref.ref(model))
        if failures and failures[0] == len(loads):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return model

    failures = []

    def run(method, *, free=2**40, total=2**40, failing_load=None, kind="cpu"):
        failures[:] = [failing_load] if failing_load else []
        loads.clear()
        composed_spec = make_spec(tiny_model.sums(30), method={"name": method}, evaluation={"generations": 2})
        values = composed_spec.spec.model_dump(mode="json")
        values["devices"]["kind"] = kind
        folder = tmp_path / method
        folder.mkdir(exist_ok=True)
        if not (folder / "data").exists():
            data = dataset.prepare_dataset(composed_spec.spec, tokenizer, tmp_path / "c")
            shutil.copytree(data.folder, folder / "data")
        tokenizer.save_pretrained(folder / "adapter")
        record.write_record(folder, record.Record(
            id=method, state="running", started=record.utc_now(), origins={}, stack="trl",
            spec=values,
        ))  # fmt: skip
        monkeypatch.setattr(evaluate, "load_model", load)
        monkeypatch.setattr(evaluate.hardware, "read_room", lambda _: hardware.Room(free, total))
        monkeypatch.setattr(evaluate, "generate_text", lambda model, *_: f"base: {model.is_base}")
        monkeypatch.setattr(
            evaluate.task,
            "answer_questions",
            lambda model, _, questions, __: [
                "nothing" if model.is_base else reference for reference in questions.references
            ],
        )
        return evaluate.evaluate_run(folder), list(loads)

    return run


def test_qlora_run_evaluates_4_bits_first_and_one_model_at_a_time(judge):
    result, loads = judge("qlora")
    assert loads == [(True, True), (False, True)]
    assert list(result["losses"]) == ["base", "adapter", "base_quantised", "adapter_quantised"]
    assert result["losses"]["adapter"] == pytest.approx(math.log(700), rel=1e-6)
    assert result["losses"]["base"] > result["losses"]["adapter"]
    task = result["task"]["metrics"]["exact-match"]
    assert (task["base"], task["adapter"]) == (0, 1), "the 16-bit model answers"
    assert (result["not_judged"], len(result["generations"])) == ({}, 2)
    assert {(one["base"], one["adapter"]) for one in result["generations"]} == {("base: True", "base: False")}


def test_16_bit_base_that_does_not_fit_is_not_judged(judge):
    result, loads = judge("qlora", free=2**20)
    assert loads == [(True, True)]
    assert list(result["losses"]) == ["base_quantised", "adapter_quantised"]
    assert re.fullmatch(
        r"the 32-bit base needs 0\.6 GiB, and 0\.0 GiB are free", result["not_judged"]["base"]
    )
    assert len(result["generations"]) == 2, "the quantised model answers"
    result, loads = judge("qlora", free=2**20, total=2**20)
    assert loads == [(True, True)], "on a CPU the first model is tried"
    result, loads = judge("qlora", failing_load=2)
    assert (len(loads), list(result["losses"])) == (2, ["base_quantised", "adapter_quantised"])
    assert result["not_judged"] == {"base": "the 32-bit base needs more than the free memory"}


def test_run_of_several_gpus_whose_model_fits_into_none_of_them_is_not_judged(judge):
    result, loads = judge("qlora", kind="cuda", free=2**20, total=2**21)
    assert (loads, result["losses"], result["generations"], result["tokens"]) == ([], {}, [], 0)
    assert list(result["not_judged"]) == ["base_quantised", "base"]
    assert re.fullmatch(
        r"the 4-bit base needs 0\.6 GiB, and 0\.0 GiB are there", result["not_judged"]["base_quantised"]
    )
    result, loads = judge("full", kind="cuda", free=2**20, total=2**40)
    assert (loads, list(result["losses"])) == ([(False, True)], ["adapter"])
    assert result["not_judged"] == {"base": "the 32-bit base needs 0.6 GiB, and 0.0 GiB are free"}


def test_first_model_that_does_not_fit_ends_the_evaluation(judge):
    with pytest.raises(RuntimeError, match="out of memory"):
        judge("qlora", failing_load=1)


def test_full_run_evaluates_the_trained_model_and_then_the_base(judge):
    result, loads = judge("full")
    assert loads == [(False, True), (False, False)]
    assert list(result["losses"]) == ["base", "adapter"]
    assert result["losses"]["base"] > result["losses"]["adapter"]
    assert {(one["base"], one["adapter"]) for one in result["generations"]} == {("base: True", "base: False")}


def test_loss_in_parts_is_the_loss_of_all_tokens(monkeypatch):
    rows = [EncodedRow(list(range(3, 13)), [IGNORE_INDEX] * 4 + [0] * 6) for _ in range(3)]
    whole = losses.score_rows(StubModel(is_base=True), rows, 0)
    monkeypatch.setattr(losses.memory, "LOSS_TOKENS", 4)
    monkeypatch.setattr(losses.memory, "EVALUATION_TOKENS", 20)
    counts = []
    parts = losses.score_rows(StubModel(is_base=True), rows, 0, counts.append)
    assert counts == [2, 3], "rows so far, after each batch"
    assert [count for _, count in parts] == [count for _, count in whole] == [6, 6, 6]
    assert losses.compute_mean_loss(parts) == pytest.approx(losses.compute_mean_loss(whole))
    assert losses.compute_mean_loss(whole) == pytest.approx(math.log(math.exp(5) + 699) - 5, rel=1e-5)
