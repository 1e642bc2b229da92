"""How held-out rows are put together, and where an answer begins; what the losses are stands in tests/train."""

from __future__ import annotations

from types import SimpleNamespace

import tiny_model

from finetune.after import evaluate
from finetune.data import dataset
from finetune.data.template import IGNORED, Encoded


def test_rows_of_like_length_share_a_batch_of_bounded_size(monkeypatch):
    monkeypatch.setattr(evaluate, "_TOKENS_AT_ONCE", 10)
    rows = [Encoded([7] * length, [7] * length) for length in (4, 11, 3, 5, 5, 2)]
    sizes = [[len(row.input_ids) for row in batch] for batch in evaluate.batches(rows)]
    assert sizes == [[2, 3], [4, 5], [5], [11]], "padding counts, and a row too long for any batch is alone"
    assert list(evaluate.batches([])) == []


def test_of_a_text_without_a_question_the_second_half_is_the_answer(
    composed, tokenizer, tmp_path, monkeypatch
):
    rows = [{"text": f"what is {i} plus {i} ? it is {2 * i} ."} for i in range(10)]
    made = composed(
        [*rows, *tiny_model.sums(20)], data={"evaluation_share": 0.5}, evaluation={"generations": 9}
    )
    dataset.prepare(made.spec, tokenizer, tmp_path / "c").folder.rename(tmp_path / "data")
    asked = []
    monkeypatch.setattr(evaluate, "continuation", lambda _, __, prompt, ___: asked.append(prompt) or "said")
    monkeypatch.setattr(evaluate, "_without_adapter", lambda *_: evaluate.nullcontext("base"))
    shown = evaluate._generations(SimpleNamespace(), tokenizer, tmp_path, made.spec)
    held = evaluate.held_out(dataset.open_dataset(tmp_path / "data"), 9)
    halves = {row.labels[0] != IGNORED for row in held}
    assert halves == {True, False}, "both kinds are held out"
    for row, prompt in zip(held, asked[::2], strict=True):
        if row.labels[0] != IGNORED:
            assert prompt == row.input_ids[: len(row.input_ids) // 2]
        else:
            assert set(row.labels[: len(prompt)]) == {IGNORED}
    assert {(one["base"], one["adapter"]) for one in shown} == {("said", "said")}
