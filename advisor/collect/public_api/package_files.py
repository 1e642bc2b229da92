"""Find the import package in the paths of a release, and the Python files in it that Python could import.

Tests are left out: they are no API.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from advisor.errors import Unsound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_FILES = 5_000
MAX_BYTES = 50_000_000
MAX_FILE_BYTES = 1_000_000
_NOT_PACKAGES = re.compile(
    r"tests?|testing|docs?|examples?|benchmarks?|scripts?|tools?|tutorials?|samples?|notebooks?|build|utils"
    r"|setup|conftest|noxfile|tasks|fabfile|versioneer|ci|dev|integration_tests|.*_tests?|test_.*",
    re.IGNORECASE,
)
_SOURCE_FOLDER = re.compile(r"^(?:src|lib|python)/")
_SOURCE_FOLDERS = {"src", "lib", "python"}
"""Folders that hold the package, some with a needless ``__init__.py``."""
_MIN_LENGTH = 4
"""A shorter name is in others by chance."""
_TESTS = re.compile(r"tests?|conftest|test_.*|.*_tests?")


class Contents(Protocol):
    """Contents of files by their hash (blob), of a history or of an archive."""

    def has(self, blob: str) -> bool:
        """Return whether the file can be read."""

    def find_size(self, blob: str) -> int:
        """Return its size in bytes."""

    def read_text(self, blob: str) -> str:
        """Return its text."""


class Package(NamedTuple):
    """An import package, or a module in one file, and its files: path in the package's folder → blob."""

    name: str
    files: Mapping[str, str]


def find_package(blobs: Mapping[str, str], names: Iterable[str]) -> Package | None:
    """Return the import package of a release; None if it has no Python package.

    Args:
        blobs: path → blob of the files of the release.
        names: names that the package may have, best first (distribution, repository).
    """
    python_files = [path for path in blobs if path.endswith(".py")]
    roots = _find_roots(python_files)
    if not roots:
        return None
    wanted_names = [_normalise(name) for name in names]
    sizes = _count_files(python_files, roots)

    def rank(root: str) -> tuple[int, bool, int, int, str]:
        name = _normalise(root.rpartition("/")[2].removesuffix(".py"))
        place = wanted_names.index(name) if name in wanted_names else len(wanted_names)
        is_other = not any(_contains(name, wanted_name) for wanted_name in wanted_names)
        depth = _SOURCE_FOLDER.sub("", root).count("/")
        return place, is_other, depth, -sizes[root], root

    root = min(roots, key=rank)
    return Package(root.rpartition("/")[2].removesuffix(".py"), dict(_list_files(blobs, root)))


def limit_files(package: Package, contents: Contents) -> dict[str, str]:
    """Return the files of a package that can be read: a larger one is generated, and not API.

    Raises:
        Unsound: there are too many files or bytes.
    """
    sizes = {path: contents.find_size(blob) for path, blob in package.files.items() if contents.has(blob)}
    files = {path: package.files[path] for path, size in sizes.items() if size <= MAX_FILE_BYTES}
    total = sum(sizes[path] for path in files)
    if len(files) > MAX_FILES or total > MAX_BYTES:
        raise Unsound(
            f"{package.name} has {len(files):,} Python files with {total:,} bytes, more than the "
            f"{MAX_FILES:,} files and {MAX_BYTES:,} bytes that are read"
        )
    return files


def _find_roots(python_files: Iterable[str]) -> set[str]:
    """Return the folders of packages that no package holds, and modules at the top."""
    folders = {path.rpartition("/")[0] for path in python_files if path.rpartition("/")[2] == "__init__.py"}
    folders -= {f for f in _SOURCE_FOLDERS if any(other.startswith(f"{f}/") for other in folders)}
    roots = {f for f in folders if f and f.rpartition("/")[0] not in folders}
    modules = {path for path in python_files if re.fullmatch(r"(?:src/|lib/|python/)?[^/]+\.py", path)}
    return {
        root
        for root in roots | modules
        if not any(_NOT_PACKAGES.fullmatch(p.removesuffix(".py")) for p in root.split("/"))
        and root.rpartition("/")[2].removesuffix(".py").isidentifier()
    }


def _count_files(python_files: Iterable[str], roots: set[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for path in python_files:
        place = path
        while place:
            if place in roots:
                counts[place] += 1
            place = place.rpartition("/")[0]
    return counts


def _list_files(blobs: Mapping[str, str], root: str) -> Iterable[tuple[str, str]]:
    parent = root.rpartition("/")[0]
    start = len(parent) + 1 if parent else 0
    if root.endswith(".py"):
        yield root[start:], blobs[root]
        return
    for path, blob in blobs.items():
        if path.startswith(f"{root}/") and path.endswith(".py"):
            parts = path[start:].removesuffix(".py").split("/")
            if all(p.isidentifier() and len(p) <= 100 and not _TESTS.fullmatch(p) for p in parts):
                yield path[start:], blob


def _contains(name: str, wanted_name: str) -> bool:
    """Return whether one name holds the other, as ``pypolars`` holds ``polars``."""
    short_name, long_name = sorted((name.replace("_", ""), wanted_name.replace("_", "")), key=len)
    return len(short_name) >= _MIN_LENGTH and short_name in long_name


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()
