"""Parses one requirement of Python: PEP 508, or a path or URL as pip accepts it."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.text import shorten
from advisor.errors import InputError

_ADDRESS = re.compile(r"^(?:[a-z+]+://|git@|\.{0,2}/|~/|\.$|[\w./-]+/|[A-Za-z]:\\)|\.(?:whl|tar\.gz|zip)$")
_EXTRAS = re.compile(r"\[[^\[\]]*\]$")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")


def parse_requirement(
    text: str, file: str, line: int, *, groups: tuple[str, ...] = (), is_address: bool = False
) -> Dependency:
    """Return the dependency that a requirement names.

    Args:
        text: the requirement without comments and options.
        file: name of the file.
        line: line of the requirement.
        groups: extras or groups that it belongs to.
        is_address: whether it must be a path or a URL (pip's ``--editable``).

    Raises:
        InputError: the text is not a requirement.
    """
    if is_address or (" @ " not in text and _ADDRESS.search(text.partition(";")[0].strip().split("[")[0])):
        return _parse_address(text, file, line, groups)
    try:
        spec = Requirement(text)
    except (ValueError, RecursionError) as error:  # a version of 5,000 digits, 1,000 nested brackets
        reason = str(error).splitlines()[0] if isinstance(error, InvalidRequirement) else "it is too long"
        raise InputError(
            f"{file}:{line}: {shorten(remove_credentials(text))!r} is not a requirement: {reason}"
        ) from None
    pins = [s.version for s in spec.specifier if s.operator in {"==", "==="} and "*" not in s.version]
    return Dependency(
        "pypi",
        canonicalize_name(spec.name),
        file,
        line,
        version=pins[0] if pins else None,
        groups=groups,
        marker=str(spec.marker or ""),
        repository=github_repository(spec.url) if spec.url else None,
        local=remove_credentials(spec.url) if spec.url else "",
    )


def _parse_address(text: str, file: str, line: int, groups: tuple[str, ...]) -> Dependency:
    address, _, marker = text.partition(" ;")
    address = _EXTRAS.sub("", address.strip())
    repository = github_repository(address)
    egg = _EGG.search(address)
    place = remove_credentials(address)
    end = place.rstrip("/").rpartition("/")[2]
    if egg:
        name = egg[1]
    elif repository:
        name = repository.split("/")[1]
    elif end.endswith(".whl"):
        try:
            name = parse_wheel_filename(end)[0]
        except InvalidWheelFilename:
            raise InputError(f"{file}:{line}: {shorten(end)!r} is not the name of a wheel") from None
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
        local=place,
    )
