"""Model coverage as text, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from advisor.answers.coverage import SPREAD, Cell, Coverage, Side
from advisor.report import show
from advisor.report.json import plain
from advisor.report.markdown import _table as markdown_table
from advisor.report.text import table as text_table

_KEY = (
    "A day: first support. (+n): days after the weights were public. *: no commit needed, counted from the "
    "release of transformers with its architecture. ~: weights older than the library. gone: given up "
    "again. -: not by then."
)


def text(found: Coverage) -> str:
    """The three tables for a terminal."""
    parts = [
        f"model coverage as of {found.as_of}, {_ROUTE[found.route]}",
        *_sections(found, lambda header, rows: "\n".join(text_table(header, rows))),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(found: Coverage) -> str:
    """The same as Markdown."""
    parts = [
        f"# Model coverage as of {found.as_of}",
        f"Counted: {_ROUTE[found.route]}.",
        *_sections(found, markdown_table),
    ]
    return "\n\n".join(parts) + "\n"


def to_csv(found: Coverage) -> str:
    """One row a family and library, with what shows it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Cell.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(cell) for cell in found.cells)
    return out.getvalue()


def to_json(found: Coverage) -> str:
    """Everything, with what shows it."""
    return json.dumps(plain(asdict(found)), indent=1, ensure_ascii=False) + "\n"


RENDER: Mapping[str, Callable[[Coverage], str]] = {
    "table": text,
    "markdown": markdown,
    "csv": to_csv,
    "json": to_json,
}

_ROUTE = {"any": "own code or what transformers loads", "main": "own code alone"}


def _sections(found: Coverage, table: Callable[[list[str], list[list[str]]], str]) -> list[str]:
    return [
        "First support of a model family",
        table(*_families(found)),
        _KEY,
        "Vendor gap: days from public weights to support, families that came after the library",
        table(*_gaps(found)),
        "Spread over vendors",
        table(*_spread(found)),
        *_unpackaged(found),
        *_confessions(found),
    ]


def _families(found: Coverage) -> tuple[list[str], list[list[str]]]:
    cells = {(c.family, c.repository): c for c in found.cells}
    families = {c.family: (c.vendor, str(c.released_on)) for c in found.cells}
    rows = [
        [family, *about, *(_cell(cells.get((family, r))) for r in found.repositories)]
        for family, about in families.items()
    ]
    return ["family", "vendor", "weights", *map(_short, found.repositories)], rows


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "?"
    if cell.supported_on is None:
        return "-"
    late = "~" if cell.was_older else f"(+{cell.days})"
    if cell.removed_on is not None:
        return f"gone {cell.removed_on}"
    return f"{cell.supported_on}{'*' if cell.route == 'transformers' else ''} {late}"


def _gaps(found: Coverage) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            _short(s.repository),
            s.vendors,
            f"{s.supported} of {s.families}",
            _median(s),
            f"{s.within:.0%}",
        ]
        for s in found.sides
    ]
    return ["library", "models of", "supported", "median days [95 %]", "within 90 days"], rows


def _median(side: Side) -> str:
    if side.median is None:
        return "never" if side.low is None else f"never [{side.low:.0f}–]"
    high = "" if side.high is None else f"{side.high:.0f}"
    return f"{side.median:.0f} [{side.low or 0:.0f}–{high}]"


def _spread(found: Coverage) -> tuple[list[str], list[list[str]]]:
    header = [
        "library",
        "families",
        "vendors",
        "effective vendors",
        "backer's own share",
        "vendor gap (days)",
    ]
    rows = [[_short(r), *(show(found.measured[r][name]) for name in SPREAD)] for r in found.repositories]
    return header, rows


def _unpackaged(found: Coverage) -> list[str]:
    """What the default branch supports and no release on the index does."""
    missing: dict[str, list[str]] = {}
    packaged = {c.repository for c in found.cells if c.packaged_on is not None}
    for c in found.cells:
        if c.route == "main" and c.removed_on is None and c.packaged_on is None and c.repository in packaged:
            missing.setdefault(c.repository, []).append(c.family)
    lines = [f"{_short(r)}: {', '.join(families)}" for r, families in missing.items()]
    return ["On the default branch, in no release of the package", "\n".join(lines)] if lines else []


def _confessions(found: Coverage) -> list[str]:
    shown = {r: found.measured[r]["vendor_gap"].reason for r in found.repositories}
    lines = [f"{_short(r)}: {why}" for r, why in shown.items() if why]
    return ["No vendor gap", "\n".join(lines)] if lines else []


def _short(repository: str) -> str:
    return repository.split("/")[1]
