"""What is asked beside git and GitHub: one source, one file, found by being here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from advisor.collect.http.transport import Transport

SOURCES = tuple(sorted(module.name for module in iter_modules(__path__)))


class Source(Protocol):
    """What one file of this folder offers.

    Attributes:
        HOST: where it is asked; nothing else is sent there.
        NEEDS_PACKAGE: whether it knows packages alone, and not repositories.
    """

    HOST: str
    NEEDS_PACKAGE: bool

    async def collect(
        self, transport: Transport, store: Path, repository: str, package: str, day: date
    ) -> None:
        """Add what it says as of the day; ``package`` is "" where none is known.

        Raises:
            CollectError: it could not be read.
        """


def source(name: str) -> Source:
    """The source of this name, one of ``SOURCES``."""
    return cast("Source", import_module(f"advisor.collect.sources.{name}"))
