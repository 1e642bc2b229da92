"""The sources besides git and GitHub: each file of this folder is one source."""

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
    """Interface of a source, which is a module of this folder.

    Attributes:
        HOST: origin of its API; the transport refuses requests to other hosts.
        NEEDS_PACKAGE: whether the source needs the name of a package on PyPI.
    """

    HOST: str
    NEEDS_PACKAGE: bool

    async def collect(
        self, transport: Transport, store: Path, repository: str, package: str, day: date
    ) -> None:
        """Add the facts of a repository as of the day; ``package`` is "" if it is not known.

        Raises:
            CollectError: the source could not be read.
        """


def load_source(name: str) -> Source:
    """Return the source with this name, one of ``SOURCES``."""
    return cast("Source", import_module(f"advisor.collect.sources.{name}"))
