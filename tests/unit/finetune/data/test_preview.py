"""The text of the preview without colours."""

from __future__ import annotations

import pytest

from finetune.data.preview import Piece, render_text


@pytest.mark.parametrize(
    ("trained", "text"),
    [
        ("..xx.x", "ab⟦cd⟧e⟦f⟧"),
        ("xx....", "⟦ab⟧cdef"),
        ("......", "abcdef"),
        ("xxxxxx", "⟦abcdef⟧"),
    ],
)
def test_marks_stand_around_each_run_of_trained_tokens(trained, text):
    pieces = [
        Piece(i, letter, mark == "x") for i, (letter, mark) in enumerate(zip("abcdef", trained, strict=True))
    ]
    count = trained.count("x")
    rows = [(7, pieces)]
    assert render_text(rows, with_marks=True).plain == f"\nrow 7: 6 tokens, {count} trained\n{text}\n"
    assert render_text(rows).plain == f"\nrow 7: 6 tokens, {count} trained\nabcdef\n"
