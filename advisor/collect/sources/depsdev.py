"""deps.dev: advisories against the current version of a package, and how many packages depend on it.

Source: docs.deps.dev/api, GetPackage and GetVersion of v3; the number of dependents is in v3alpha
alone (GetDependents), which may change.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AliasPath, Field

from advisor.collect import parts
from advisor.collect.http.messages import Answer, Request, check_status, json_of, segment
from advisor.collect.http.shapes import Count, S, Shape, count_rows, read_as
from advisor.collect.http.transport import Transport
from advisor.errors import RepositoryNotFound, Unsound

HOST = "https://api.deps.dev"
NEEDS_PACKAGE = True


class _Version(Shape):
    version: Annotated[str, Field(validation_alias=AliasPath("versionKey", "version"), max_length=100)]
    is_default: bool = Field(validation_alias="isDefault", default=False)


class _Package(Shape):
    versions: list[_Version]


class _Advisory(Shape):
    id: Annotated[str, Field(max_length=100)]


class _Detail(Shape):
    advisories: list[_Advisory] = Field(validation_alias="advisoryKeys", default_factory=list)


class _Dependents(Shape):
    dependents: Count = Field(validation_alias="dependentCount")


async def collect(transport: Transport, store: Path, repository: str, package: str, day: date) -> None:
    """Add the totals as of the day.

    Raises:
        CollectError: deps.dev could not be read.
    """
    base = f"systems/pypi/packages/{segment(package.lower())}"

    async def get(path: str, shape: type[S]) -> S:
        def read(answer: Answer) -> S:
            return read_as(shape, json_of(check_status(answer, "deps.dev"), "deps.dev"), "deps.dev's answer")

        return await transport.send(Request("GET", f"{HOST}/{path}", {"accept": "application/json"}), read)

    versions = (await get(f"v3/{base}", _Package)).versions
    current = next((v.version for v in versions if v.is_default), None)
    if current is None:
        raise Unsound(f"deps.dev names no default version of {package}")
    of_version = f"{base}/versions/{segment(current)}"
    totals: dict[str, float | None] = {"advisories": len((await get(f"v3/{of_version}", _Detail)).advisories)}
    try:
        totals["dependents"] = (await get(f"v3alpha/{of_version}:dependents", _Dependents)).dependents
    except RepositoryNotFound:
        totals["dependents"] = None  # v3alpha promises nothing
    rows = count_rows(totals, day, f"deps.dev, for {package} {current}")
    about = {"repository": repository, "source": "deps.dev", "retrieved_at": day.isoformat()}
    parts.add(store, "counts", repository, "depsdev", [{**r, **about} for r in rows], ("day", "metric"))
