"""The user's own task in every library, side by side.

All values are plain text: `finetune`, which this package does not import, renders the native configs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """The task in one library.

    Attributes:
        library: its name.
        files: name and text of each file of its native config; empty if it cannot do the task.
        starts: the `advisor` command that trains with it.
        command: the library's own command, which `starts` runs.
        deviations: settings that the library can only approximate.
        refusal: field and reason if it cannot do the task; else empty.
    """

    library: str
    files: tuple[tuple[str, str], ...] = ()
    starts: str = ""
    command: str = ""
    deviations: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def summary(self) -> str:
        """A summary in a few words."""
        if self.refusal:
            return "cannot do it"
        lines = sum(text.count("\n") for _, text in self.files)
        return f"{lines} lines, {_count(len(self.deviations), 'deviation')}"


@dataclass(frozen=True)
class Task:
    """A run: its description in one sentence, and its sides in the order of the page."""

    title: str
    sides: tuple[Side, ...]


def _count(n: int, noun: str) -> str:
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"
