"""deps.dev: security advisories for the default version of a package, and its number of dependents.

Source: docs.deps.dev/api, GetPackage and GetVersion of v3. Only v3alpha has the number of dependents
(GetDependents), and it may change.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AliasPath, Field

from advisor.collect import parts
from advisor.collect.http.messages import HttpRequest, HttpResponse, check_status, quote_segment, read_json
from advisor.collect.http.shapes import Count, S, Shape, build_count_rows, read_as
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
    """Add the number of advisories and dependents as of the day.

    Raises:
        CollectError: deps.dev could not be read.
    """
    base = f"systems/pypi/packages/{quote_segment(package.lower())}"

    async def get(path: str, shape: type[S]) -> S:
        def parse(response: HttpResponse) -> S:
            return read_as(
                shape, read_json(check_status(response, "deps.dev"), "deps.dev"), "deps.dev's response"
            )

        return await transport.send(
            HttpRequest("GET", f"{HOST}/{path}", {"accept": "application/json"}), parse
        )

    versions = (await get(f"v3/{base}", _Package)).versions
    current = next((v.version for v in versions if v.is_default), None)
    if current is None:
        raise Unsound(f"deps.dev has no default version of {package}")
    version_path = f"{base}/versions/{quote_segment(current)}"
    totals: dict[str, float | None] = {
        "advisories": len((await get(f"v3/{version_path}", _Detail)).advisories)
    }
    try:
        totals["dependents"] = (await get(f"v3alpha/{version_path}:dependents", _Dependents)).dependents
    except RepositoryNotFound:
        totals["dependents"] = None  # v3alpha has no stability guarantee
    rows = build_count_rows(totals, day, f"deps.dev, for {package} {current}")
    provenance = {"repository": repository, "source": "deps.dev", "retrieved_at": day.isoformat()}
    parts.add_rows(
        store, "counts", repository, "depsdev", [{**r, **provenance} for r in rows], ("day", "metric")
    )
