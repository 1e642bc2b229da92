"""The releases of a package on its index, and the one file of each whose Python code is read.

Source: packaging.python.org, "Simple repository API" (PEP 691 for JSON, PEP 700 for sizes and upload times).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, NamedTuple

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from pydantic import Field

from advisor.collect.http.messages import HttpRequest, HttpResponse, check_status, quote_segment, read_json
from advisor.collect.http.shapes import Shape, Time, read_as
from advisor.collect.public_api.releases import Release, choose_main_line
from advisor.collect.sources import pypi

FILES_HOST = "https://files.pythonhosted.org"
_ACCEPT = "application/vnd.pypi.simple.v1+json"
_PURE_WHEEL, _SOURCE, _OTHER_WHEEL = range(3)


class IndexFile(Shape):
    """A file of a release, as the index lists it."""

    filename: Annotated[str, Field(max_length=300)]
    url: Annotated[str, Field(max_length=2000)]
    size: Annotated[int, Field(ge=0)] | None = None
    uploaded_at: Annotated[Time | None, Field(validation_alias="upload-time")] = None
    is_yanked: Annotated[bool | str, Field(validation_alias="yanked")] = False
    hashes: dict[str, str] = Field(default_factory=dict)


class _Project(Shape):
    files: list[IndexFile]


class _Choice(NamedTuple):
    kind: int
    size: int
    filename: str
    file: IndexFile
    version: Version


def build_request(package: str) -> HttpRequest:
    """Return the request for the files of a package."""
    name = quote_segment(canonicalize_name(package))
    return HttpRequest("GET", f"{pypi.HOST}/simple/{name}/", {"accept": _ACCEPT})


def read_files(response: HttpResponse) -> list[IndexFile]:
    """Return the files of a package from the response of the index."""
    return read_as(_Project, read_json(check_status(response, "PyPI"), "PyPI"), "PyPI's response").files


def list_releases(files: Iterable[IndexFile], package: str, day: date) -> list[tuple[Release, IndexFile]]:
    """Return the releases of the main line until a day, oldest first, each with the file to read.

    A release has the day of its first file. Of the files of that day, the first of these counts, so that a
    later upload changes nothing: a wheel for all systems, the source archive, the smallest other wheel.
    Releases that were yanked are left out; the index does not say when that was.
    """
    choices: dict[Version, list[_Choice]] = {}
    for file in files:
        choice = _read_name(file, canonicalize_name(package))
        if choice is not None and file.uploaded_at is not None and not file.is_yanked:
            choices.setdefault(choice.version, []).append(choice)
    releases = {}
    for version, own_choices in choices.items():
        days = [c.file.uploaded_at.date() for c in own_choices if c.file.uploaded_at]
        first_choices = [c for c, d in zip(own_choices, days, strict=True) if d == min(days)]
        best = min(first_choices)
        if min(days) <= day and not version.is_prerelease:
            release = Release(best.filename, version, min(days).isoformat(), "", None)
            releases[best.filename] = release, best.file
    return [(r, releases[r.tag][1]) for r in choose_main_line(release for release, _ in releases.values())]


def _read_name(file: IndexFile, package: str) -> _Choice | None:
    """Return what the name of a file says; None if it is of another package or kind."""
    try:
        if file.filename.endswith(".whl"):
            name, version, _, tags = parse_wheel_filename(file.filename)
            is_pure = all(tag.abi == "none" and tag.platform == "any" for tag in tags)
            kind = _PURE_WHEEL if is_pure else _OTHER_WHEEL
        else:
            name, version = parse_sdist_filename(file.filename)
            kind = _SOURCE
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return None
    return _Choice(kind, file.size or 0, file.filename, file, version) if name == package else None
