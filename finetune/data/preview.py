"""The exact tokens that will be trained on, coloured by trained or not, for a terminal and as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune.data.template import IGNORED, Encoded

if TYPE_CHECKING:
    from rich.text import Text

    from finetune.data.dataset import Dataset
    from finetune.data.findings import Finding

_BINS = 10


@dataclass(frozen=True)
class Piece:
    """One token as it is read: id, text with white space made visible, and whether it is trained."""

    token: int
    text: str
    trained: bool


def pieces(row: Encoded, tokenizer: Any) -> list[Piece]:
    """The tokens of a row, one by one."""
    return [
        Piece(token, _visible(tokenizer.decode([token])), label != IGNORED)
        for token, label in zip(row.input_ids, row.labels, strict=True)
    ]


def _visible(text: str) -> str:
    return text.replace("\n", "↵\n").replace("\t", "→")


def histogram(lengths: Sequence[int], limit: int) -> list[tuple[int, int, int]]:
    """Rows by length in tokens, uncut: (from, to, rows), the last bin open where rows were cut."""
    top = min(max(lengths), limit)
    width = max(1, -(-top // _BINS))
    bins = [(low, low + width - 1) for low in range(1, top + 1, width)]
    counted = [(low, high, sum(low <= n <= high for n in lengths)) for low, high in bins]
    beyond = sum(n > bins[-1][1] for n in lengths)
    return [*counted, (bins[-1][1] + 1, max(lengths), beyond)] if beyond else counted


def lengths(data: Dataset) -> list[int]:
    """Tokens of every row of the training side, before cutting."""
    return [o.tokens for o in data.outcomes if o.tokens and o.split == "train"]


def as_text(rows: Iterable[tuple[int, list[Piece]]]) -> Text:
    """For a terminal: trained tokens green, the others dim, neighbours told apart by underlining."""
    from rich.text import Text

    out = Text()
    for place, tokens in rows:
        out.append(f"\nrow {place}: ", "bold")
        trained = sum(p.trained for p in tokens)
        out.append(f"{len(tokens)} tokens, {trained} trained\n", "bold")
        for i, piece in enumerate(tokens):
            style = "green" if piece.trained else "dim"
            out.append(piece.text, f"{style} underline" if i % 2 else style)
        out.append("\n")
    return out


_STYLE = """
body{font:15px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
pre{white-space:pre-wrap;font:13px/1.7 ui-monospace,monospace;border:1px solid #d5dce4;padding:.8rem}
b{font-weight:600}.t{background:#bfe8c9}.t:nth-child(even){background:#a6dcb4}.u{color:#5a6675}
.u:nth-child(even){background:#f0f3f6}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #d5dce4;padding:.3rem .5rem;text-align:left;vertical-align:top}
.error{color:#a4161a;font-weight:600}.warning{color:#8a5a00;font-weight:600}
.bar{background:#7aa6d8;height:.8rem;display:inline-block}
"""


def as_html(
    title: str, rows: Iterable[tuple[int, list[Piece]]], found: Sequence[Finding], data: Dataset, limit: int
) -> str:
    """One self-contained page: counts, findings, lengths, tokens."""
    said = data.summary
    share = said["trained_tokens"] / max(1, said["train_tokens"])
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p>{said['train_rows']} rows to train on, {said['test_rows']} held out; {said['train_tokens']:,} ",
        f"tokens, {share:.0%} of them trained (<span class=t>green</span>).</p>",
        "<h2>Findings</h2><table><tr><th>severity<th>what<th>rows<th>why<th>remedy</tr>",
    ]
    for f in found:
        cells = "".join(f"<td>{html.escape(cell)}" for cell in (f.what, f.where, f.why, f.remedy))
        parts.append(f"<tr><td class={f.severity}>{f.severity}{cells}</tr>")
    parts.append("</table><h2>Length of the rows in tokens</h2><table>")
    bins = histogram(lengths(data), limit)
    most = max((count for _, _, count in bins), default=1)
    for low, high, count in bins:
        bar = f"<span class=bar style='width:{30 * count / most:.1f}rem'></span>"
        parts.append(f"<tr><td>{low}–{high}<td>{count}<td>{bar}</tr>")
    parts.append("</table><h2>Tokens</h2>")
    for place, tokens in rows:
        parts.append(
            f"<p><b>Row {place}</b>: {len(tokens)} tokens, {sum(p.trained for p in tokens)} trained</p><pre>"
        )
        parts += [
            f"<span class={'t' if p.trained else 'u'} title={p.token}>{html.escape(p.text)}</span>"
            for p in tokens
        ]
        parts.append("</pre>")
    return "".join(parts) + "</html>\n"
