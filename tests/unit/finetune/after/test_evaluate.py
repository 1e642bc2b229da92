"""Batches of held-out rows, and where an answer starts; tests/train has the tests of the losses."""

from __future__ import annotations

from types import SimpleNamespace

import tiny_model

from finetune.after import evaluate
from finetune.data import dataset
from finetune.data.template import EncodedRow
from finetune.runners.emit import IGNORE_INDEX


def test_batches_have_rows_of_similar_length_and_a_limited_size(monkeypatch):
    monkeypatch.setattr(evaluate, "_BATCH_TOKENS", 10)
    rows = [EncodedRow([7] * length, [7] * length) for length in (4, 11, 3, 5, 5, 2)]
    sizes = [[len(row.input_ids) for row in batch] for batch in evaluate.batch_by_length(rows)]
    assert sizes == [[2, 3], [4, 5], [5], [11]], (
        "padding counts, and a row that is too long has its own batch"
    )
    assert list(evaluate.batch_by_length([])) == []


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
    monkeypatch.setattr(evaluate, "_without_adapter", lambda *_: evaluate.nullcontext("base"))
    generations = evaluate._generate_answers(SimpleNamespace(), tokenizer, tmp_path, composed_spec.spec)
    test_rows = evaluate.read_held_out(dataset.open_dataset(tmp_path / "data"), 9)
    halves = {row.labels[0] != IGNORE_INDEX for row in test_rows}
    assert halves == {True, False}, "both kinds are held out"
    for row, prompt in zip(test_rows, prompts[::2], strict=True):
        if row.labels[0] != IGNORE_INDEX:
            assert prompt == row.input_ids[: len(row.input_ids) // 2]
        else:
            assert set(row.labels[: len(prompt)]) == {IGNORE_INDEX}
    assert {(one["base"], one["adapter"]) for one in generations} == {("text", "text")}
