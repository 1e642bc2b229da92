"""What a person (on a terminal) and a machine (in a file of JSON lines) see of a collection."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from advisor.errors import CollectError, InputError

if TYPE_CHECKING:
    from advisor.collect.outcome import Outcome


class Progress:
    """Bars on a terminal, silence in a pipe, JSON lines in a file.

    Attributes:
        collected: repositories of which something was collected.
        missing: lines about what could not be had.
        only_error: the error of the one repository that was asked for, if that was all.
    """

    def __init__(self, log: Path | None = None) -> None:
        """Open the log.

        Raises:
            InputError: it cannot be written.
        """
        self.collected: set[str] = set()
        self.missing: list[str] = []
        self.only_error: CollectError | None = None
        self._numbers: list[str] = []
        try:
            self._log = log.open("w", encoding="utf-8") if log else None
        except OSError as error:
            raise InputError(f"{log} cannot be written: {error.strerror}") from None
        self._bars = _Bars() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.bars.stop()
        if self._log:
            self._log.close()

    def tell(self, what: str, numbers: Mapping[str, object]) -> None:
        """Show and log one step."""
        if self._log:
            line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what, **numbers}
            self._log.write(json.dumps(line, default=str) + "\n")
            self._log.flush()
        if what == "plan":
            self._plan(numbers)
        if what == "wait" and self._bars is None and float(str(numbers["seconds"])) >= 5:
            print(f"advisor: waiting {numbers['seconds']} s: {numbers['reason']}", file=sys.stderr)
        if what == "git" and self._bars is None:
            print(numbers["text"], file=sys.stderr)
        if self._bars:
            self._bars.tell(what, numbers)

    def _plan(self, numbers: Mapping[str, Any]) -> None:
        self._numbers = [
            f"{name}: at most {cost['requests']} requests, {cost['points']} points"
            for name, cost in numbers["repositories"].items()
        ]
        self._numbers.append(
            f"together at most {numbers['requests']} requests and {numbers['points']} points; "
            f"{numbers['spent']} spent on the overview"
        )

    def take(self, outcome: Outcome) -> None:
        """Take over what the collectors came to."""
        self.collected |= outcome.done
        self.missing += [f"{m.repository}: {m.part}: {m.why}" for m in outcome.missing if not m.is_final]
        self._summary = (
            f"{len(outcome.done)} repositories collected: {outcome.requests} requests "
            f"({outcome.not_modified} unchanged), {outcome.points} points, "
            f"{outcome.waited_seconds:.0f} s waited for limits"
        )
        if not outcome.done and len(outcome.missing) == 1:
            self.only_error = outcome.missing[0].error
        self._is_plan_only = bool(self._numbers) and not outcome.done

    _summary = ""
    _is_plan_only = False

    def fail(self, place: str, part: str, error: CollectError) -> None:
        """Note that a part could not be had."""
        self.tell("missing", {"repository": place, "part": part, "why": str(error)})
        self.missing.append(f"{place}: {part}: {error}")
        self.only_error = error if not self.collected and len(self.missing) == 1 else None

    def summary(self) -> None:
        """Print what was collected, the plan of a dry run, and what is missing."""
        if self._bars:
            self._bars.bars.stop()
        if self._is_plan_only:
            print("\n".join(self._numbers))
        if self._summary:
            print(self._summary, file=sys.stderr)
        if self.only_error is not None:
            return
        if self.missing:
            print("missing (the same command goes on from here):", file=sys.stderr)
            for line in self.missing:
                print(f"  {line}", file=sys.stderr)


class _Bars:
    """A bar for the whole, one for the repository at hand; points and time left beside them."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._all = self.bars.add_task("all", total=None, note="")
        self._one = self.bars.add_task("", total=None, note="", visible=False)
        self._have: dict[str, int] = {}

    def tell(self, what: str, numbers: Mapping[str, Any]) -> None:
        """Move the bars."""
        if what == "plan":
            self.bars.update(self._all, total=numbers["requests"] or None)
        elif what == "repository":
            self._have = {}
            total = sum(numbers["totals"].values()) or None
            self.bars.update(
                self._one, description=numbers["repository"], total=total, completed=0, visible=True, note=""
            )
        elif what == "page":
            self._have[numbers["kind"]] = numbers["have"]
            self.bars.update(self._one, completed=sum(self._have.values()), note=numbers["kind"])
        elif what == "limit":
            self.bars.advance(self._all)
            self.bars.update(self._all, note=f"{numbers['remaining']} of {numbers['limit']} points left")
        elif what == "wait":
            self.bars.update(self._one, note=f"waiting {numbers['seconds']:.0f} s: {numbers['reason']}")
        elif what in {"retry", "smaller"}:
            self.bars.update(self._one, note=f"again: {numbers['reason']}")
        elif what == "git":
            self.bars.update(self._one, description=numbers["text"], visible=True, note="")
        elif what in {"missing", "none"}:
            self.bars.console.print(
                f"{numbers['repository']}: {numbers['part']}: {numbers['why']}", markup=False, highlight=False
            )
