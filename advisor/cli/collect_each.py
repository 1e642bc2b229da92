"""Collect from the history of one repository after another: options, messages and exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

Repositories = Annotated[
    list[str], typer.Argument(help="Repositories: owner/name, a URL, or the path of a local clone.")
]
LocalName = Annotated[
    str | None,
    typer.Option("--name", metavar="OWNER/NAME", help="Name of the one local clone, if it has no remote."),
]


def check_one_place(places: Sequence[str], **options: str | None) -> None:
    """Refuse options for one repository if there are several, or none.

    Args:
        places: repositories as typed.
        options: the options by name, without dashes.

    Raises:
        InputError: an option has a value, and there is not exactly one repository.
    """
    from advisor.errors import InputError

    if any(options.values()) and len(places) != 1:
        names = " and ".join(f"--{name}" for name in options)
        raise InputError(f"{names} need{'s' if len(options) == 1 else ''} exactly one repository")


def collect_each(places: Sequence[str], collect: Callable[[str], object]) -> None:
    """Collect from each repository; name those that fail.

    Raises:
        CollectError: the only repository failed.
        Exit: the result is partial.
    """
    from advisor.errors import EXIT_PARTIAL, CollectError

    failure_count = 0
    for place in places:
        try:
            collect(place)
        except CollectError as error:
            if len(places) == 1:
                raise
            failure_count += 1
            show_line(f"advisor: {error}")
    if failure_count:
        raise typer.Exit(EXIT_PARTIAL)


def show_line(text: str) -> None:
    """Show a line of progress, or a message."""
    print(text, file=sys.stderr)
