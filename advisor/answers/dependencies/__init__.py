"""The dependencies of a project: the files that name them, their repositories, and their health.

Each module reads one kind of file; `health` ranks the packages.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dependency:
    """A package that a file names.

    Attributes:
        ecosystem: ``pypi``, ``npm``, ``conda`` or another type of package URL.
        name: as the index writes it; normalised for PyPI.
        file, line: place of the name; line 1 if it is not known.
        version: exact version, if the file pins one.
        groups: extras, groups or kinds (``dev``) that it belongs to; empty if it is always needed.
        marker: condition under which it is needed (PEP 508), as written.
        repository: ``owner/name`` on GitHub, if the file or an installed copy of the package names it.
        local: path or URL instead of an index, without user, password, query and fragment.
        index: host of the index that the project takes it from, if a file names one; of several indexes
            one that is not public, because the package may come from there.
        is_claim: whether only the package itself names the repository, for example in an installed copy.
        parents: packages that lead to it, a direct dependency first; empty: the project itself names it;
            None: the files do not say it.
        requires: names of the packages that it needs, as far as a lock file says it.
        size_bytes: size of its largest wheel, as far as a lock file says it.
        deprecation: why its authors advise against this version; empty: they do not; None: the file does
            not say it.
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
    index: str = ""
    is_claim: bool = False
    # Two entries are equal whatever path leads to them.
    parents: tuple[str, ...] | None = field(default=(), compare=False)
    requires: tuple[str, ...] = field(default=(), compare=False)
    size_bytes: int | None = field(default=None, compare=False)
    deprecation: str | None = field(default=None, compare=False)
