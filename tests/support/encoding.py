"""One row as tokens."""

from __future__ import annotations


def encode_row(row, tokenizer, data):
    """Return the tokens of a row, or the reason why it has none."""
    from finetune.data.template import encode_rows

    return encode_rows([row], tokenizer, data)[0]
