"""Options of `advisor rank --from`: which packages count, and what fails a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.settings import GATE, gate_setting

if TYPE_CHECKING:
    from advisor.answers.dependencies.gate import Gate
    from advisor.answers.dependencies.selection import Selection
    from advisor.decide.requirements import Requirements

FailUnder = Annotated[
    str | None,
    typer.Option(
        metavar="SCORE",
        help='With --from: exit with code 4 if a score is below this one; also "5% abandoned".',
    ),
]
Certain = Annotated[
    bool,
    typer.Option(
        "--certain", help="With --fail-under: only if the highest possible score of a package is below it."
    ),
]
MinKnown = Annotated[
    str | None,
    typer.Option(
        "--min-known",
        metavar="SHARE",
        help="With --from: exit with code 4 if fewer packages have a score, for example 60%.",
    ),
]
FailUnknown = Annotated[
    bool, typer.Option("--fail-unknown", help="With --from: exit with code 4 if a package has no score.")
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GROUP",
        help="With --from: leave out packages that only this group or extra needs, for example dev. "
        "Repeatable.",
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION",
        help="With --from: leave out packages that this Python does not need, for example 3.12.",
    ),
]
Platform = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --from: leave out packages that this system does not need: linux, macos or windows.",
    ),
]


_FIELDS = {"min-known": "min_share"}  # setting → field, where they differ
_SETTINGS = {field: name for name, field in _FIELDS.items()}


@dataclass(frozen=True)
class GateOptions:
    """The options as typed; settings stand in for the others."""

    fail_under: str | None = None
    certain: bool = False
    min_share: str | None = None
    fail_unknown: bool = False
    without: Sequence[str] | None = None
    python: str | None = None
    platform: str | None = None
    license: str | None = None
    avoid: Sequence[str] | None = None

    def list_options(self) -> list[str]:
        """Return the options that mean nothing without --from, as typed."""
        names = [f.name for f in fields(self) if f.name not in {"license", "avoid"} and getattr(self, f.name)]
        return [f"--{_SETTINGS.get(name, name).replace('_', '-')}" for name in names]

    def _read(self, name: str) -> Any:
        """Return the value of an option; the setting if it is not typed."""
        if value := getattr(self, _FIELDS.get(name, name.replace("-", "_"))):
            return value
        setting = gate_setting(name)
        if setting is None:
            return None
        return setting.value == "true" if GATE[name] is bool else setting.value

    def build_gate(self) -> Gate:
        """Return what fails the run, with the exceptions of [tool.advisor].

        Raises:
            InputError: a score or a share is malformed.
        """
        from advisor.answers.dependencies.gate import Gate, parse_share
        from advisor.answers.dependencies.health import Exemption
        from advisor.domain.reliability import parse_line
        from advisor.errors import InputError

        fail_under, min_share = self._read("fail-under"), self._read("min-known")
        if self.certain and fail_under is None:
            raise InputError("missing option --fail-under: --certain needs it")
        setting = gate_setting("exceptions")
        tables = setting.value if setting else ()
        return Gate(
            fail_under=None if fail_under is None else parse_line(fail_under),
            is_certain=bool(self._read("certain")),
            min_share=None if min_share is None else parse_share(min_share, "--min-known"),
            fails_unknown=bool(self._read("fail-unknown")),
            fails_exclusions=bool(self._read("license") or self._read("avoid")),
            exemptions=[Exemption(**table) for table in tables if isinstance(table, dict)],
            day=datetime.now(UTC).date(),
        )

    def build_selection(self) -> Selection:
        """Return which packages count.

        Raises:
            InputError: a version or a platform is unknown.
        """
        from advisor.answers.dependencies.selection import Selection

        return Selection(
            without=tuple(self._read("without") or ()),
            may_lack_groups=not self.without,  # a setting is for all files of a project
            python=self._read("python") or "",
            platform=self._read("platform") or "",
        )

    def build_requirements(self) -> Requirements:
        """Return the licence and the backers that packages must have.

        Raises:
            InputError: a kind is unknown.
        """
        from advisor.decide.requirements import Requirements

        return Requirements(license=self._read("license"), avoid=tuple(self._read("avoid") or ()))
