"""One requirement as Python's tools write it (PEP 508, or an address in pip's way)."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.errors import InputError

_ADDRESS = re.compile(r"^(?:[a-z+]+://|git@|\.{0,2}/|~/|\.$|[\w./-]+/|[A-Za-z]:\\)|\.(?:whl|tar\.gz|zip)$")
_EXTRAS = re.compile(r"\[[^\[\]]*\]$")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")


def requirement(
    text: str, file: str, line: int, *, groups: tuple[str, ...] = (), is_address: bool = False
) -> Dependency:
    """What a requirement says.

    Args:
        text: the requirement without comment and options.
        file: where it stands.
        line: the line of it.
        groups: extras or groups that it belongs to.
        is_address: whether it must be a path or a URL (pip's ``--editable``).

    Raises:
        InputError: it is no requirement.
    """
    if is_address or (" @ " not in text and _ADDRESS.search(text.partition(";")[0].strip().split("[")[0])):
        return _address(text, file, line, groups)
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}:{line}: {without_password(text)!r} is no requirement: {reason}") from None
    pins = [s.version for s in found.specifier if s.operator in {"==", "==="} and "*" not in s.version]
    return Dependency(
        "pypi",
        canonicalize_name(found.name),
        file,
        line,
        version=pins[0] if pins else None,
        groups=groups,
        marker=str(found.marker or ""),
        repository=github_repository(found.url) if found.url else None,
        local=without_password(found.url) if found.url else "",
    )


def without_password(url: str) -> str:
    """An address without the user and the password in it."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def _address(text: str, file: str, line: int, groups: tuple[str, ...]) -> Dependency:
    place, _, marker = text.partition(" ;")
    place = _EXTRAS.sub("", place.strip())
    repository = github_repository(place)
    egg = _EGG.search(place)
    end = place.partition("#")[0].rstrip("/").rpartition("/")[2]
    if egg:
        name = egg[1]
    elif repository:
        name = repository.split("/")[1]
    elif end.endswith(".whl"):
        try:
            name = parse_wheel_filename(end)[0]
        except InvalidWheelFilename:
            raise InputError(f"{file}:{line}: {end!r} is no name of a wheel") from None
    else:
        name = end.partition("@")[0].removesuffix(".git") or "."
    return Dependency(
        "pypi",
        canonicalize_name(name) if name not in {".", ".."} else name,
        file,
        line,
        groups=groups,
        marker=marker.strip(),
        repository=repository,
        local=without_password(place),
    )
