"""The progress of a collection: bars on a terminal, JSON lines in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from advisor.errors import CollectError
from advisor.write_errors import report_write_errors

if TYPE_CHECKING:
    from advisor.collect.outcome import CollectionOutcome


class CollectionProgress:
    """Shows events: as bars on a terminal, as JSON lines in a log file; in a pipe only what takes long.

    Attributes:
        repositories: repositories with at least one collected part.
        missing: lines about parts that were not collected.
        only_error: the error, if you asked for one repository and nothing else happened.
    """

    def __init__(self, log: Path | None = None) -> None:
        """Open the log file.

        Raises:
            InputError: the log file cannot be written.
        """
        self.repositories: set[str] = set()
        self.missing: list[str] = []
        self.only_error: CollectError | None = None
        self._plan_lines: list[str] = []
        self._summary = ""
        self._is_plan_only = False
        with report_write_errors(log or Path()):
            self._log = log.open("w", encoding="utf-8") if log else None
        self._bars = _Bars() if sys.stderr.isatty() else None
        self._failing_hosts: set[str] = set()
        self._has_token = True

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.bars.stop()
        if self._log:
            self._log.close()

    def show_event(self, kind: str, fields: Mapping[str, object]) -> None:
        """Show one event, and write it to the log file."""
        if self._log:
            line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": kind, **fields}
            with report_write_errors(Path(self._log.name)):
                self._log.write(json.dumps(line, default=str) + "\n")
                self._log.flush()
        if kind == "plan":
            self._read_plan(fields)
        if kind == "wait" and self._bars is None and float(str(fields["seconds"])) >= 5:
            print(f"advisor: waiting {fields['seconds']} s: {fields['reason']}", file=sys.stderr)
        if kind == "token" and fields["found_in"] is None:
            self._has_token = False
            print(
                "advisor: no GitHub token: at most 60 requests an hour, and first responses stay unknown",
                file=sys.stderr,
            )
        if kind == "retry" and self._bars is None and fields["host"] not in self._failing_hosts:
            self._failing_hosts.add(str(fields["host"]))
            print(f"advisor: {fields['reason']}; trying again", file=sys.stderr)
        if kind in {"git", "note"} and self._bars is None:
            print(fields["text"], file=sys.stderr)
        if self._bars:
            self._bars.show_event(kind, fields)

    def _read_plan(self, fields: Mapping[str, Any]) -> None:
        self._plan_lines = [
            f"{name}: at most {cost['requests']} requests, {cost['points']} points"
            for name, cost in fields["repositories"].items()
        ]
        if not self._has_token:
            self._plan_lines = ["no plan: it needs a GitHub token"]
            return
        self._plan_lines.append(
            f"total: at most {fields['requests']} requests, {fields['points']} points; "
            f"the overview has cost {fields['spent']} points"
        )

    def add_outcome(self, outcome: CollectionOutcome) -> None:
        """Add the outcome of the collectors."""
        self.repositories |= outcome.repositories
        self.missing += [f"{m.repository}: {m.part}: {m.reason}" for m in outcome.missing if not m.is_final]
        self._summary = (
            f"{len(outcome.repositories)} repositories collected: {outcome.requests} requests "
            f"({outcome.unchanged_responses} unchanged), {outcome.points} points, "
            f"{outcome.waited_seconds:.0f} s waited for rate limits"
        )
        if not outcome.repositories and len(outcome.missing) == 1:
            self.only_error = outcome.missing[0].error
        self._is_plan_only = bool(self._plan_lines) and not outcome.repositories

    def add_failure(self, repository: str, part: str, error: CollectError) -> None:
        """Show and record that a part was not collected."""
        self.show_event("missing", {"repository": repository, "part": part, "why": str(error)})
        self.missing.append(f"{repository}: {part}: {error}")
        self.only_error = error if not self.repositories and len(self.missing) == 1 else None

    def print_summary(self) -> None:
        """Print what was collected, the plan of a dry run, and what is missing."""
        if self._bars:
            self._bars.bars.stop()
        if self._is_plan_only:
            print("\n".join(self._plan_lines))
        if self._summary:
            print(self._summary, file=sys.stderr)
        if self.only_error is not None:
            return
        if self.missing:
            print("missing (run the same command again to resume):", file=sys.stderr)
            for line in self.missing:
                print(f"  {line}", file=sys.stderr)


class _Bars:
    """A bar for all repositories and one for the current repository, with points and time left."""

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
        self._current = self.bars.add_task("", total=None, note="", visible=False)
        self._counts: dict[str, int] = {}

    def show_event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Move the bars."""
        if kind == "plan":
            self.bars.update(self._all, total=fields["requests"] or None)
        elif kind == "repository":
            self._counts = {}
            total = sum(fields["totals"].values()) or None
            name = fields["repository"]
            self.bars.update(self._current, description=name, total=total, completed=0, visible=True, note="")
        elif kind == "page":
            self._counts[fields["kind"]] = fields["have"]
            self.bars.update(self._current, completed=sum(self._counts.values()), note=fields["kind"])
        elif kind == "limit":
            self.bars.advance(self._all)
            self.bars.update(self._all, note=f"{fields['remaining']} of {fields['limit']} points left")
        elif kind == "wait":
            self.bars.update(self._current, note=f"waiting {fields['seconds']:.0f} s: {fields['reason']}")
        elif kind in {"retry", "smaller"}:
            self.bars.update(self._current, note=f"retrying: {fields['reason']}")
        elif kind == "git":
            self.bars.update(self._current, description=fields["text"], visible=True, note="")
        elif kind == "note":
            self.bars.console.print(fields["text"], markup=False, highlight=False)
        elif kind in {"missing", "none"}:
            self.bars.console.print(
                f"{fields['repository']}: {fields['part']}: {fields['why']}", markup=False, highlight=False
            )
