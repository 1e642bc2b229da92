"""The user's own task in every library, set side by side: what the page is handed of a plan.

All of it is plain text. Who can render a native config knows of training, which this half does not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """One library's way to say the task.

    Attributes:
        library: its name.
        files: name and text of each file of its native config; empty where it refuses.
        starts: the command that trains with it from here.
        command: the library's own words, which that command starts.
        deviations: what it can only nearly say.
        refused: field and reason, where it cannot say the task at all.
    """

    library: str
    files: tuple[tuple[str, str], ...] = ()
    starts: str = ""
    command: str = ""
    deviations: tuple[str, ...] = ()
    refused: str = ""

    @property
    def told(self) -> str:
        """What to know at a glance."""
        if self.refused:
            return "cannot do it"
        lines = sum(text.count("\n") for _, text in self.files)
        return f"{lines} lines, {_counted(len(self.deviations), 'deviation')}"


@dataclass(frozen=True)
class Task:
    """A run: what it does, in one sentence, and its sides in the order in which they are shown."""

    title: str
    sides: tuple[Side, ...]


def _counted(n: int, noun: str) -> str:
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"
