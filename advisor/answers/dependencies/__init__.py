"""What a project depends on: the files that say so, whose repositories that are, and how these fare.

One file here reads one kind of file; `health` ranks what they name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dependency:
    """A package that a file names.

    Attributes:
        ecosystem: ``pypi``, ``npm``, ``conda``, or whatever else the type of a package URL says.
        name: as its index writes it (PyPI's normalised).
        file, line: where it stands; 1 where the format has no lines to speak of.
        version: exact version, where the file pins one.
        groups: extras, groups or kinds (``dev``) that it belongs to; empty for what is always needed.
        marker: condition under which it is needed (PEP 508), as written.
        repository: ``owner/name`` on GitHub, where the file itself says it, or what lies installed beside it.
        local: a path or an address that stands in for an index, without user or password.
    """

    ecosystem: str
    name: str
    file: str
    line: int = 1
    version: str | None = None
    groups: tuple[str, ...] = ()
    marker: str = ""
    repository: str | None = None
    local: str = ""
