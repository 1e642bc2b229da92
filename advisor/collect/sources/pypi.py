"""PyPI: the versions of a package, when they came out, which were withdrawn, what the last one needs.

Source: docs.pypi.org, "JSON API", ``GET /pypi/<project>/json``.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from advisor.collect import parts
from advisor.collect.http.messages import Answer, Request, check_status, json_of, segment
from advisor.collect.http.shapes import Shape, Text, Time, read_as
from advisor.collect.http.transport import Transport
from advisor.errors import Unsound
from advisor.facts import writing

HOST = "https://pypi.org"
NEEDS_PACKAGE = True
_PRERELEASE = re.compile(r"(a|b|c|rc|alpha|beta|pre|preview|dev)\d*$|\.dev\d+", re.IGNORECASE)  # PEP 440


class _File(Shape):
    uploaded: Time = Field(validation_alias="upload_time_iso_8601")
    yanked: bool = False


class _Info(Shape):
    name: Text
    version: Annotated[str, Field(max_length=100)]
    requires_dist: list[Text] | None = None


class _Project(Shape):
    info: _Info
    releases: dict[Annotated[str, Field(max_length=100)], list[_File]]


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Bring the versions of a package up to date.

    Raises:
        CollectError: PyPI could not be read.
    """
    request = Request("GET", f"{HOST}/pypi/{segment(package)}/json", {"accept": "application/json"})
    project = await transport.send(request, read)
    rows = rows_of(project, repository, package, day)
    if rows:
        writing.write(store, "package_releases", repository, rows, part="pypi")
    if project.info.requires_dist is not None:
        needs = {
            "day": day.isoformat(),
            "metric": "requirements",
            "value": _run_time(project.info.requires_dist),
            "definition": f"packages that {package} {project.info.version} needs to run, extras left out",
            "repository": repository,
            "source": "pypi",
            "retrieved_at": day.isoformat(),
        }
        parts.add(store, "counts", repository, "pypi", [needs], ("day", "metric"))


def read(answer: Answer) -> _Project:
    """The project as PyPI describes it."""
    return read_as(_Project, json_of(check_status(answer, "PyPI"), "PyPI"), "PyPI's answer")


def rows_of(project: _Project, repository: str, package: str, day: date) -> list[dict[str, Any]]:
    """One row a version that has files; withdrawn if all of its files are."""
    if re.sub(r"[-_.]+", "-", project.info.name).lower() != re.sub(r"[-_.]+", "-", package).lower():
        raise Unsound(f"PyPI answers for another package than {package}")
    return [
        {
            "repository": repository,
            "package": package,
            "version": version,
            "released_on": min(f.uploaded for f in files).date().isoformat(),
            "is_prerelease": bool(_PRERELEASE.search(version)),
            "is_yanked": all(f.yanked for f in files),
            "source": "pypi",
            "retrieved_at": day.isoformat(),
        }
        for version, files in project.releases.items()
        if files
    ]


def _run_time(requirements: list[str]) -> int:
    return len(
        {re.split(r"[\s;<>=!~\[(]", r, maxsplit=1)[0].lower() for r in requirements if "extra" not in r}
    )
