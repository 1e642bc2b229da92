"""Model coverage as text, Markdown, CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from typing import assert_never

from advisor.answers.coverage import SPREAD, Cell, Coverage, Side
from advisor.facts.facts_view import FactsView
from advisor.report.csv import write_csv
from advisor.report.formats import CoverageFormat, Format
from advisor.report.json import write_json
from advisor.report.tables import PLAIN_WIDTH, escape_markdown, markdown_table, text_table
from advisor.report.values import show

LEGEND = (
    "date: first support. (+n): n days after the weights were public. gone: support was removed on that day.",
    "': named in the code, but shown in no test, example, recipe or page of the library.",
    "*, loads: only loaded, through transformers or because the code accepts the architecture.",
    "~: the weights are older than the library. -: not supported yet. ?: not enough data.",
)

_ROUTES = {
    "any": "whatever the library loads, through transformers or with its own code",
    "main": "what the library's own code names, or its own tests, examples, recipes or pages show",
    "shown": "what the library's own tests, examples, recipes or pages show",
}


def render(
    coverage: Coverage,
    output_format: CoverageFormat,
    width: int = PLAIN_WIDTH,
    views: Sequence[FactsView] = (),
) -> str:
    """Return the coverage in a format; CSV has a row for each model family and library.

    Args:
        coverage: what each library supports.
        output_format: how to write it.
        width: columns that a table of plain text may have.
        views: the facts behind it, which JSON names.
    """
    match output_format:
        case Format.table:
            return _text(coverage, width)
        case Format.markdown:
            return _markdown(coverage)
        case Format.csv:
            return write_csv(list(Cell.__dataclass_fields__), map(astuple, coverage.cells))
        case Format.json:
            return write_json("coverage", asdict(coverage), views)
        case _:
            assert_never(output_format)


def _text(coverage: Coverage, width: int) -> str:
    parts = [
        f"model coverage as of {coverage.as_of}: {_ROUTES[coverage.route]}",
        *_sections(
            coverage, lambda header, rows: "\n".join(text_table(header, rows, width)), "\n".join(LEGEND)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(coverage: Coverage) -> str:
    parts = [
        f"# Model coverage as of {coverage.as_of}",
        f"What counts: {_ROUTES[coverage.route]}.",
        *_sections(coverage, markdown_table, escape_markdown(" ".join(LEGEND))),
    ]
    return "\n\n".join(parts) + "\n"


def _sections(
    coverage: Coverage, table: Callable[[list[str], list[list[str]]], str], legend: str
) -> list[str]:
    return [
        "First support of each model family",
        table(*_families(coverage)),
        legend,
        "Days from public weights to support, for families that are newer than the library",
        table(*_gaps(coverage)),
        "Vendors of the supported families (vendor gap: share within 90 days, backer's minus others')",
        table(*_spread(coverage)),
        *_unreleased_families(coverage),
        *_missing_gaps(coverage),
    ]


def _families(coverage: Coverage) -> tuple[list[str], list[list[str]]]:
    cells = {(c.family, c.repository): c for c in coverage.cells}
    families = {c.family: (c.vendor, str(c.released_on)) for c in coverage.cells}
    rows = [
        [family, *details, *(_cell(cells.get((family, r))) for r in coverage.repositories)]
        for family, details in families.items()
    ]
    return ["family", "vendor", "public weights", *map(_short, coverage.repositories)], rows


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "?"
    if cell.supported_on is None:
        return "loads" if cell.level == "loads" else "-"
    late = "~" if cell.was_older else f"(+{cell.days})"
    if cell.removed_on is not None:
        return f"gone {cell.removed_on}"
    mark = {"named": "'", "loads": "*"}.get(cell.level or "", "")
    return f"{cell.supported_on}{mark} {late}"


def _gaps(coverage: Coverage) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            _short(s.repository),
            s.vendors,
            f"{s.supported} of {s.families}",
            _median(s),
            f"{s.within:.0%}",
        ]
        for s in coverage.sides
    ]
    return ["library", "models of", "supported", "median days [95 % interval]", "within 90 days"], rows


def _median(side: Side) -> str:
    if side.median is None:
        return "never" if side.low is None else f"never [{side.low:.0f}–]"
    high = "" if side.high is None else f"{side.high:.0f}"
    return f"{side.median:.0f} [{side.low or 0:.0f}–{high}]"


def _spread(coverage: Coverage) -> tuple[list[str], list[list[str]]]:
    header = [
        "library",
        "families",
        "vendors",
        "effective vendors",
        "backer's own share",
        "vendor gap (points)",
    ]
    rows = [
        [_short(r), *(show(coverage.measured[r][name]) for name in SPREAD)] for r in coverage.repositories
    ]
    return header, rows


def _unreleased_families(coverage: Coverage) -> list[str]:
    """Return the families that the default branch supports but no release on the package index does."""
    missing: dict[str, list[str]] = {}
    on_index = {c.repository for c in coverage.cells if c.packaged_on is not None}
    for c in coverage.cells:
        if (
            c.route in ("main", "shown")
            and c.removed_on is None
            and c.packaged_on is None
            and c.repository in on_index
        ):
            missing.setdefault(c.repository, []).append(c.family)
    lines = [f"{_short(r)}: {', '.join(families)}" for r, families in missing.items()]
    return ["Supported on the default branch, but not in a release yet", "\n".join(lines)] if lines else []


def _missing_gaps(coverage: Coverage) -> list[str]:
    reasons = {r: coverage.measured[r]["vendor_gap"].reason for r in coverage.repositories}
    lines = [f"{_short(r)}: {reason}" for r, reason in reasons.items() if reason]
    return ["What the vendor gaps rest on", "\n".join(lines)] if lines else []


def _short(repository: str) -> str:
    return repository.split("/")[1]
