"""PyPI: versions of a package, their days, yanked versions, and requirements of the latest version.

Source: docs.pypi.org, "JSON API", ``GET /pypi/<project>/json``.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from advisor.collect import parts
from advisor.collect.http.messages import HttpRequest, HttpResponse, check_status, quote_segment, read_json
from advisor.collect.http.shapes import Shape, Text, Time, read_as
from advisor.collect.http.transport import Transport
from advisor.errors import Unsound
from advisor.facts import writing

HOST = "https://pypi.org"
NEEDS_PACKAGE = True
_PRERELEASE = re.compile(r"(a|b|c|rc|alpha|beta|pre|preview|dev)\d*$|\.dev\d+", re.IGNORECASE)  # PEP 440


class _File(Shape):
    upload_time: Time = Field(validation_alias="upload_time_iso_8601")
    is_yanked: bool = Field(validation_alias="yanked", default=False)


class _Info(Shape):
    name: Text
    version: Annotated[str, Field(max_length=100)]
    requires_dist: list[Text] | None = None


class _Project(Shape):
    info: _Info
    releases: dict[Annotated[str, Field(max_length=100)], list[_File]]


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Replace the versions of a package, and add its number of requirements as of the day.

    Raises:
        CollectError: PyPI could not be read.
    """
    request = HttpRequest("GET", f"{HOST}/pypi/{quote_segment(package)}/json", {"accept": "application/json"})
    project = await transport.send(request, read_response)
    rows = build_rows(project, repository, package, day)
    if rows:
        writing.write_rows(store, "package_releases", repository, rows, part="pypi")
    if project.info.requires_dist is not None:
        row = {
            "day": day.isoformat(),
            "metric": "requirements",
            "value": _count_requirements(project.info.requires_dist),
            "definition": f"packages that {package} {project.info.version} needs to run, extras left out",
            "repository": repository,
            "source": "pypi",
            "retrieved_at": day.isoformat(),
        }
        parts.add_rows(store, "counts", repository, "pypi", [row], ("day", "metric"))


def read_response(response: HttpResponse) -> _Project:
    """Read the project from PyPI's response."""
    return read_as(_Project, read_json(check_status(response, "PyPI"), "PyPI"), "PyPI's response")


def build_rows(project: _Project, repository: str, package: str, day: date) -> list[dict[str, Any]]:
    """Build one row per version with files; a version is yanked if all its files are."""
    if re.sub(r"[-_.]+", "-", project.info.name).lower() != re.sub(r"[-_.]+", "-", package).lower():
        raise Unsound(f"PyPI returned another package than {package}")
    return [
        {
            "repository": repository,
            "package": package,
            "version": version,
            "released_on": min(f.upload_time for f in files).date().isoformat(),
            "is_prerelease": bool(_PRERELEASE.search(version)),
            "is_yanked": all(f.is_yanked for f in files),
            "source": "pypi",
            "retrieved_at": day.isoformat(),
        }
        for version, files in project.releases.items()
        if files
    ]


def _count_requirements(requirements: list[str]) -> int:
    return len(
        {re.split(r"[\s;<>=!~\[(]", r, maxsplit=1)[0].lower() for r in requirements if "extra" not in r}
    )
