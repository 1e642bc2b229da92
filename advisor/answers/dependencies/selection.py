"""Leaves out packages that a project does not need: by group, by version of Python, and by platform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.utils import canonicalize_name

from advisor.answers.dependencies import Dependency
from advisor.errors import InputError, UnknownName

_PLATFORMS: Mapping[str, Mapping[str, str]] = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
PLATFORMS = tuple(_PLATFORMS)
_PYTHON = re.compile(r"3\.\d{1,3}(?:\.\d{1,3})?")
_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
# What a selection leaves open: a package is needed if one of these needs it.
_MACHINES = (
    "x86_64",
    "aarch64",
    "arm64",
    "AMD64",
    "ARM64",
    "i686",
    "ppc64le",
    "s390x",
    "armv7l",
    "riscv64",
    "",
)
_IMPLEMENTATIONS = ({"platform_python_implementation": "CPython", "implementation_name": "cpython"},
                    {"platform_python_implementation": "PyPy", "implementation_name": "pypy"})  # fmt: skip
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)""")
_RELEASES = re.compile(r"\bplatform_(?:release|version)\b")


@dataclass(frozen=True)
class Selection:
    """Which packages count.

    Attributes:
        without: groups; a package that only these need is left out.
        may_lack_groups: whether a name in ``without`` that no package has is no error.
        python: version of Python, for example ``3.12``; empty: any.
        platform: one of `PLATFORMS`; empty: any.
    """

    without: tuple[str, ...] = ()
    may_lack_groups: bool = False
    python: str = ""
    platform: str = ""

    def __post_init__(self) -> None:
        if self.python and not _PYTHON.fullmatch(self.python):
            raise InputError(f"invalid version {self.python!r} for --python: expected for example 3.12")
        if self.platform and self.platform not in _PLATFORMS:
            raise UnknownName("platform", self.platform, list(PLATFORMS))


def select_dependencies(
    dependencies: Sequence[Dependency], selection: Selection
) -> tuple[list[Dependency], tuple[str, ...]]:
    """Return the packages that count, and sentences about the others.

    Raises:
        InputError: no file has a group of a name in ``without``.
    """
    exclusions = {_plain(group) for group in selection.without}
    groups = {_plain(group): group for d in dependencies for group in d.groups}
    for name in () if selection.may_lack_groups else selection.without:
        if dependencies and _plain(name) not in groups:
            known = ", ".join(sorted(groups.values())) or "none"
            raise InputError(f"--without {name}: no package has this group; groups in the files: {known}")
    rest = [d for d in dependencies if not d.groups or not {_plain(g) for g in d.groups} <= exclusions]
    answers = {marker: _is_needed(marker, selection) for marker in {d.marker for d in rest}}
    result = [d for d in rest if answers[d.marker]]
    notes = []
    if count := len(dependencies) - len(rest):
        notes.append(f"left out: {_packages(count)} only of the groups {', '.join(selection.without)}")
    if count := len(rest) - len(result):
        python = f"Python {selection.python}" if selection.python else ""
        notes.append(f"left out: {_packages(count)} not needed on {f'{python} {selection.platform}'.strip()}")
    return result, tuple(notes)


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count} packages"


def _plain(group: str) -> str:
    return canonicalize_name(group)


def _is_needed(text: str, selection: Selection) -> bool:
    """Return whether a condition holds on some machine that the selection allows."""
    if not text or not (selection.python or selection.platform) or _RELEASES.search(text):
        return True
    try:
        condition = Marker(text)
        return any(map(condition.evaluate, _environments(text, selection)))
    except (InvalidMarker, UndefinedComparison):  # poetry may write one of its own
        return True


def _environments(text: str, selection: Selection) -> Iterator[dict[str, str]]:
    """Yield the environments that differ in what the condition names."""
    platforms = [_PLATFORMS[selection.platform]] if selection.platform else list(_PLATFORMS.values())
    pythons = [selection.python] if selection.python else _PYTHONS
    machines = _MACHINES if "platform_machine" in text else _MACHINES[:1]
    implementations = _IMPLEMENTATIONS if "implementation" in text else _IMPLEMENTATIONS[:1]
    extras = ["", *_EXTRA.findall(text)]
    for platform, python, machine, implementation, extra in product(
        platforms, pythons, machines, implementations, extras
    ):
        full = python if python.count(".") == 2 else f"{python}.0"
        yield {
            **platform, **implementation, "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": full, "implementation_version": full, "platform_machine": machine,
            "extra": extra,
        }  # fmt: skip
