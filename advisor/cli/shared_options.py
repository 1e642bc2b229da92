"""Options that several commands take: declared once, on what makes sense of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def takes(make: Callable[..., T]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of ``make`` in the place of its parameter ``asked``, and it what they make.

    Args:
        make: a dataclass whose fields are annotated as options.
    """
    hints = get_type_hints(make, include_extras=True)
    shared = [
        p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(make).parameters.values()
    ]

    def give(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            asked = make(**{p.name: given.pop(p.name) for p in shared})
            command(asked=asked, **given)

        own = get_type_hints(command, include_extras=True)
        merged: list[inspect.Parameter] = []
        for p in inspect.signature(command).parameters.values():
            kept = p.replace(annotation=own[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
            merged += shared if p.name == "asked" else [kept]
        run.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in merged}
        return run

    return give
