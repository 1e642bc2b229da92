"""What an upgrade breaks, as text, Markdown, CSV or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from typing import assert_never

from advisor.answers.code_uses import Use, count_places
from advisor.answers.upgrade import Break, Span, Upgrade
from advisor.facts.facts_view import FactsView
from advisor.report.csv import write_csv
from advisor.report.formats import Format, UpgradeFormat
from advisor.report.json import write_json
from advisor.report.tables import PLAIN_WIDTH, markdown_table, wrap_line

LEGEND = (
    "Seen are public names, methods, attributes and parameters in the Python source. Behaviour, defaults and "
    "what the library makes at run time are not seen: read its changelog too."
)
# Kinds of changes of which many parameters of one object share a line.
_SHARED_LINES = {
    "parameter removed",
    "parameter required",
    "parameter by name only",
    "parameter by place only",
}
_COLUMNS = ["version", "day", "name", "member", "kind", "detail", "announced", "path", "line", "fails"]


@dataclass(frozen=True)
class ReportedBreak(Break):
    """A break, also in words.

    Attributes:
        text: what breaks, as a sentence for a person.
    """

    text: str = ""


@dataclass(frozen=True)
class Place:
    """A line of the user's code that a break concerns.

    Attributes:
        path, line: where it is.
        is_certain: whether the line fails; False: it may.
        change: its number in ``breaks``, from 0.
    """

    path: str
    line: int
    is_certain: bool
    change: int


@dataclass(frozen=True)
class UpgradeReport(Span):
    """The JSON report of `advisor upgrade`.

    Attributes:
        breaks: all incompatible changes, in the order of the releases.
        places: where the user's code meets them; None: no code was searched.
        notes: how the versions were understood, in words.
    """

    breaks: tuple[ReportedBreak, ...]
    places: tuple[Place, ...] | None
    notes: tuple[str, ...]


def build_report(upgrade: Upgrade, uses: Sequence[Use] | None = None) -> UpgradeReport:
    """Return the content of the JSON report."""
    numbers = {change: number for number, change in enumerate(upgrade.breaks)}
    return UpgradeReport(
        **{field.name: getattr(upgrade, field.name) for field in fields(Span)},
        breaks=tuple(ReportedBreak(**vars(change), text=describe(change)) for change in upgrade.breaks),
        places=None
        if uses is None
        else tuple(Place(use.path, use.line, use.is_certain, numbers[use.change]) for use in uses),
        notes=upgrade.notes,
    )


def render(
    upgrade: Upgrade,
    output_format: UpgradeFormat,
    uses: Sequence[Use] | None = None,
    width: int = PLAIN_WIDTH,
    views: Sequence[FactsView] = (),
) -> str:
    """Return the breaks of an upgrade; with uses, only those that the user's code meets.

    Args:
        upgrade: the two releases and what breaks.
        output_format: how to write it.
        uses: where the user's code meets the breaks; None: no code was searched.
        width: columns that a line of plain text may have.
        views: the facts behind them, which JSON names.
    """
    match output_format:
        case Format.table:
            changes = _list_releases(upgrade) if uses is None else _list_places(uses)
            lines = [*_sentences(upgrade, uses), "", *changes, LEGEND]
            return "\n".join(part for line in lines for part in wrap_line(line, width) or [""]) + "\n"
        case Format.markdown:
            header, rows = _table(upgrade, uses)
            parts = [
                " ".join(_sentences(upgrade, uses)),
                *([markdown_table(header, rows)] if rows else []),
                LEGEND,
            ]
            title = f"# {upgrade.repository}: {upgrade.old} to {upgrade.new}"
            return "\n\n".join([title, *parts]) + "\n"
        case Format.csv:
            return write_csv(_COLUMNS, _list_cells(upgrade, uses))
        case Format.json:
            return write_json("upgrade", asdict(build_report(upgrade, uses)), views)
        case _:
            assert_never(output_format)


def describe(change: Break) -> str:
    """Return what breaks in words: the object, and how it changed."""
    return _join_words(change, (change.detail or "").partition("@")[0])


def _join_words(change: Break, parameters: str) -> str:
    _, _, place = (change.detail or "").partition("@")
    parameters = f"parameter{'s' if ',' in parameters else ''} {parameters}"
    words = {
        "removed": "removed",
        "other kind": change.detail or "changed",
        "base class removed": f"no longer inherits from {change.detail}",
        "parameter removed": f"without {parameters}",
        "parameter moved": f"{parameters} moved from position {int(place) + 1 if place else '?'}",
        "parameter required": f"needs {parameters}",
        "parameter by name only": f"{parameters} only by name",
        "parameter by place only": f"{parameters} only by position",
    }
    place = f", now {' or '.join(change.other_names)}" if change.other_names else ""
    return f"{_name_object(change)}: {words.get(change.kind, change.kind)}{place}"


def _name_object(change: Break) -> str:
    return f"{change.name}.{change.member}" if change.member else change.name


def _list_releases(upgrade: Upgrade) -> list[str]:
    """Return a block of lines for each release; parameters that an object loses share a line."""
    lines: list[str] = []
    for (version, day), changes in groupby(upgrade.breaks, key=lambda change: (change.version, change.day)):
        lines.append(f"{version} ({day})")
        groups: dict[tuple[object, ...], list[Break]] = {}
        for change in changes:
            detail = None if change.kind in _SHARED_LINES else change.detail
            key = (_name_object(change), change.kind, detail, change.was_announced, change.other_names)
            groups.setdefault(key, []).append(change)
        for group in groups.values():
            parameters = ", ".join((change.detail or "").partition("@")[0] for change in group)
            note = " (announced)" if group[0].was_announced else ""
            lines.append(f"  - {_join_words(group[0], parameters)}{note}")
        lines.append("")
    return lines


def _list_places(uses: Sequence[Use]) -> list[str]:
    """Return a block of lines for each place in the user's code."""
    lines: list[str] = []
    for place, meetings in groupby(uses, key=lambda use: f"{use.path}:{use.line}"):
        lines.append(place)
        for use in meetings:
            effect = "fails" if use.is_certain else "may fail"
            lines.append(f"  - {effect} since {use.change.version}: {describe(use.change)}")
        lines.append("")
    return lines


def _sentences(upgrade: Upgrade, uses: Sequence[Use] | None) -> list[str]:
    count = len(upgrade.breaks)
    removals = sum(b.kind == "removed" and b.member is None for b in upgrade.breaks)
    announcements = sum(b.was_announced for b in upgrade.breaks)
    releases = (
        f"{upgrade.repository} {upgrade.old} ({upgrade.old_day}) to {upgrade.new} ({upgrade.new_day}), "
        f"{upgrade.releases} release{'s' if upgrade.releases > 1 else ''}, as of {upgrade.as_of}."
    )
    total = (
        f"{count} incompatible changes: {removals} names removed, {count - removals} other changes; "
        f"{announcements} were announced by a deprecation."
    )
    sentences = [releases, total, *(f"{note[0].upper()}{note[1:]}." for note in upgrade.notes)]
    if uses is not None:
        met = len({use.change for use in uses})
        sentences.append(
            f"Your code meets {met} of them on {count_places(uses)} lines."
            if uses
            else "Your code meets none of them."
        )
    return sentences


def _table(upgrade: Upgrade, uses: Sequence[Use] | None) -> tuple[list[str], list[list[str]]]:
    if uses is not None:
        return ["place", "what breaks", "since", "fails"], [
            [f"{u.path}:{u.line}", describe(u.change), u.change.version, "yes" if u.is_certain else "perhaps"]
            for u in uses
        ]
    return ["since", "day", "what breaks", "announced"], [
        [b.version, str(b.day), describe(b), "yes" if b.was_announced else "no"] for b in upgrade.breaks
    ]


def _list_cells(upgrade: Upgrade, uses: Sequence[Use] | None) -> list[list[object]]:
    def cells(change: Break) -> list[object]:
        return [
            change.version,
            change.day,
            change.name,
            change.member,
            change.kind,
            change.detail,
            change.was_announced,
        ]

    if uses is None:
        return [[*cells(change), None, None, None] for change in upgrade.breaks]
    return [[*cells(use.change), use.path, use.line, use.is_certain] for use in uses]
