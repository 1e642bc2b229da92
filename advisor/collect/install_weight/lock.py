"""Lock a package with uv, as of a day: which packages it brings, and where they install from wheels alone."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from packaging.version import InvalidVersion, Version
from pydantic import Field

from advisor.collect.http.shapes import Shape, Text, read_as
from advisor.collect.install_weight.programs import ProgramError, Programs, run_program
from advisor.domain.pythons import pythons_on
from advisor.errors import Unsound

SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
"""Name of a system for uv → name for people."""
_LOCK = "pylock.toml"
_INPUT = "package.in"


class _File(Shape):
    size: Annotated[int, Field(ge=0, le=2**40)] | None = None


class _Package(Shape):
    name: Annotated[Text, Field(max_length=200)]
    version: Annotated[Text, Field(max_length=100)]
    wheels: list[_File] = Field(default_factory=list)
    sdist: _File | None = None


class _Pylock(Shape):
    packages: list[_Package]


@dataclass(frozen=True)
class Part:
    """A package of a lock.

    Attributes:
        size_bytes: what its download takes; None if the index does not say.
        is_wheel: whether there is a wheel; False: the install builds it.
    """

    name: str
    version: str
    size_bytes: int | None
    is_wheel: bool


@dataclass(frozen=True)
class Lock:
    """What an install of the newest version brings.

    Attributes:
        package, version: the package; the version is "" if there is none.
        python: the Python version that it was locked for; "" without a lock.
        parts: the packages, itself among them.
        pythons: maintained Python versions that install it on Linux.
        systems: systems that install it, by uv's names.
        reason: why there is no lock; None if there is one.
    """

    package: str
    version: str = ""
    python: str = ""
    parts: tuple[Part, ...] = ()
    pythons: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    reason: str | None = None


def find_lock(package: str, day: date, programs: Programs, *, may_build: bool = False) -> Lock:
    """Lock the newest version of a package that was there on a day.

    Only wheels count for the Python versions and the systems. For the lock itself, uv builds what has
    no wheel if it may.
    """
    pythons = pythons_on(day)
    version, reason = _find_version(package, pythons, day, programs)
    if version is None:
        return Lock(package, reason=reason)
    requirement = f"{package}=={version}"
    locks: dict[str, tuple[Part, ...]] = {}
    for python in pythons:
        try:
            locks[python] = _lock(requirement, python, "linux", day, programs)
        except ProgramError as error:
            reason = reason or str(error)
    supported = tuple(locks)
    if not locks and may_build:
        for python in reversed(pythons):
            try:
                locks[python] = _lock(requirement, python, "linux", day, programs, may_build=True)
                break
            except ProgramError as error:
                reason = str(error)
    if not locks:
        return Lock(package, version, reason=reason or "no Python version is maintained on this day")
    python = max(locks, key=pythons.index)
    systems = [
        system
        for system in SYSTEMS
        if system != "linux" and _is_installable(requirement, python, system, day, programs)
    ]
    return Lock(
        package, version, python, locks[python], supported, (*(["linux"] if supported else []), *systems)
    )


def _find_version(
    package: str, pythons: Sequence[str], day: date, programs: Programs
) -> tuple[str | None, str | None]:
    """Return the newest version for any of the Python versions; else why there is none."""
    versions, reason = [], None
    for python in reversed(pythons):
        try:
            parts = _lock(package, python, "linux", day, programs, may_build=True, only_itself=True)
            versions += [Version(part.version) for part in parts]
        except (ProgramError, InvalidVersion) as error:
            reason = str(error)
    return (str(max(versions)), None) if versions else (None, reason)


def _is_installable(requirement: str, python: str, system: str, day: date, programs: Programs) -> bool:
    try:
        return bool(_lock(requirement, python, system, day, programs))
    except ProgramError:
        return False


def _lock(
    requirement: str,
    python: str,
    system: str,
    day: date,
    programs: Programs,
    *,
    may_build: bool = False,
    only_itself: bool = False,
) -> tuple[Part, ...]:
    command = [
        *(*programs.uv, "pip", "compile", _INPUT, "--quiet", "--no-config", "--no-header"),
        *("--format", "pylock.toml", "--output-file", _LOCK, "--python-platform", system),
        # The interpreter only builds: without it, uv would search for one of each version.
        *("--python-version", python, "--python", sys.executable),
        *("--exclude-newer", f"{day.isoformat()}T23:59:59Z"),
    ]
    command += ["--no-deps"] if only_itself else []
    command += [] if may_build else ["--only-binary", ":all:"]
    text = run_program(command, programs, {_INPUT: f"{requirement}\n"}, _LOCK)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unsound(f"the lock of {requirement} cannot be read: {error}") from None
    pylock = read_as(_Pylock, content, f"the lock of {requirement}")
    return tuple(map(_read_part, pylock.packages))


def _read_part(package: _Package) -> Part:
    """Return a package of a lock; uv names the wheel that it prefers first."""
    file = package.wheels[0] if package.wheels else package.sdist
    return Part(package.name, package.version, file.size if file else None, bool(package.wheels))
