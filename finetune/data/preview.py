"""The exact tokens of the training rows, as coloured text, as HTML and as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from finetune.data.encoded_row import EncodedRow
from finetune.runners.emit import IGNORE_INDEX

if TYPE_CHECKING:
    from rich.text import Text

    from finetune.data.dataset import Dataset
    from finetune.data.findings import Finding

_BINS = 10


@dataclass(frozen=True)
class Piece:
    """One token: its id, its text with visible white space, and whether it is trained."""

    token: int
    text: str
    is_trained: bool


def split_sides(place: int, row: EncodedRow, tokenizer: Any) -> list[tuple[str, list[Piece]]]:
    """Return the tokens of a row, or of both answers of a preference, each with its title."""
    if row.rejected:
        names = [", chosen", ", rejected"]
    elif row.is_desirable is not None:
        names = [", desirable" if row.is_desirable else ", undesirable"]
    else:
        names = [""]
    return [
        (f"{place}{name}", split_pieces(side, tokenizer)) for name, side in zip(names, row.sides, strict=True)
    ]


def split_pieces(row: EncodedRow, tokenizer: Any) -> list[Piece]:
    """Return the tokens of a row, one by one."""
    return [
        Piece(token, _visible(tokenizer.decode([token])), label != IGNORE_INDEX)
        for token, label in zip(row.input_ids, row.labels, strict=True)
    ]


def _visible(text: str) -> str:
    return text.replace("\n", "↵\n").replace("\t", "→")


def count_by_length(lengths: Sequence[int], limit: int) -> list[tuple[int, int, int]]:
    """Return a histogram of the rows by length in tokens: (from, to, rows).

    Lengths are those before truncation. If rows are longer than the limit, the last bin contains them.
    """
    top = min(max(lengths), limit)
    width = max(1, -(-top // _BINS))
    ranges = [(low, low + width - 1) for low in range(1, top + 1, width)]
    bins = [(low, high, sum(low <= n <= high for n in lengths)) for low, high in ranges]
    beyond = sum(n > ranges[-1][1] for n in lengths)
    return [*bins, (ranges[-1][1] + 1, max(lengths), beyond)] if beyond else bins


def list_lengths(data: Dataset) -> list[int]:
    """Return the number of tokens of each training row, before truncation."""
    return [o.tokens for o in data.outcomes if o.tokens and o.split == "train"]


def render_text(rows: Iterable[tuple[str, list[Piece]]], *, with_marks: bool = False) -> Text:
    """Render the tokens for a terminal.

    Trained tokens are green, the others dim; every second token is underlined. ``with_marks`` also puts each
    run of trained tokens between ⟦ and ⟧, for an output without colour.
    """
    from rich.text import Text

    out = Text()
    for title, pieces in rows:
        out.append(f"\nrow {title}: ", "bold")
        out.append(f"{len(pieces)} tokens, {_count_trained_tokens(pieces)} trained\n", "bold")
        was_trained = False
        for i, piece in enumerate(pieces):
            if with_marks and piece.is_trained != was_trained:
                out.append("⟦" if piece.is_trained else "⟧")
            was_trained = piece.is_trained
            style = "green" if piece.is_trained else "dim"
            out.append(piece.text, f"{style} underline" if i % 2 else style)
        out.append("⟧\n" if with_marks and was_trained else "\n")
    return out


def _count_trained_tokens(pieces: list[Piece]) -> int:
    return sum(piece.is_trained for piece in pieces)


_STYLE = """
body{font:15px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
pre{white-space:pre-wrap;font:13px/1.7 ui-monospace,monospace;border:1px solid #d5dce4;padding:.8rem}
b{font-weight:600}.t{background:#bfe8c9}.t:nth-child(even){background:#a6dcb4}.u{color:#5a6675}
.u:nth-child(even){background:#f0f3f6}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #d5dce4;padding:.3rem .5rem;text-align:left;vertical-align:top}
.error{color:#a4161a;font-weight:600}.warning{color:#8a5a00;font-weight:600}
.bar{background:#7aa6d8;height:.8rem;display:inline-block}
"""


def render_html(
    title: str,
    rows: Iterable[tuple[str, list[Piece]]],
    findings: Sequence[Finding],
    data: Dataset,
    limit: int,
) -> str:
    """Render one self-contained page: counts, findings, lengths, tokens."""
    counts = data.summary
    share = counts["trained_tokens"] / max(1, counts["train_tokens"])
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p>{counts['train_rows']} training rows, {counts['test_rows']} held-out rows; ",
        f"{counts['train_tokens']:,} tokens, {share:.0%} of them trained (<span class=t>green</span>).</p>",
        "<h2>Findings</h2><table><tr><th>severity<th>what<th>rows<th>why<th>what to do</tr>",
    ]
    for f in findings:
        cells = "".join(f"<td>{html.escape(cell)}" for cell in (f.what, f.where, f.why, f.remedy))
        parts.append(f"<tr><td class={f.severity}>{f.severity}{cells}</tr>")
    parts.append("</table><h2>Length of the rows in tokens</h2><table>")
    bins = count_by_length(list_lengths(data), limit)
    largest = max((count for _, _, count in bins), default=1)
    for low, high, count in bins:
        bar = f"<span class=bar style='width:{30 * count / largest:.1f}rem'></span>"
        parts.append(f"<tr><td>{low}–{high}<td>{count}<td>{bar}</tr>")
    parts.append("</table><h2>Tokens</h2>")
    for row_title, pieces in rows:
        numbers = f"{len(pieces)} tokens, {_count_trained_tokens(pieces)} trained"
        parts.append(f"<p><b>Row {row_title}</b>: {numbers}</p><pre>")
        parts += [
            f"<span class={'t' if p.is_trained else 'u'} title={p.token}>{html.escape(p.text)}</span>"
            for p in pieces
        ]
        parts.append("</pre>")
    return "".join(parts) + "</html>\n"


def render_json(
    title: str,
    rows: Iterable[tuple[str, list[Piece]]],
    findings: Sequence[Finding],
    data: Dataset,
    limit: int,
) -> str:
    """Render what `render_html` has: each token has its id, its text and whether it is trained."""
    report = {
        "title": title,
        "summary": dict(data.summary),
        "findings": [asdict(finding) for finding in findings],
        "lengths": [
            {"from": low, "to": high, "rows": count}
            for low, high, count in count_by_length(list_lengths(data), limit)
        ],
        "rows": [
            {
                "row": row_title,
                "tokens": [{"id": p.token, "text": p.text, "is_trained": p.is_trained} for p in pieces],
            }
            for row_title, pieces in rows
        ],
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"
