"""Find the repository of a package: ask its package index first, then deps.dev.

Sources: docs.pypi.org, "JSON API"; docs.npmjs.com, "package.json" (``repository``), as
``GET /<package>/latest`` of the registry gives it; docs.deps.dev/api, GetPackage and GetVersion (``links``).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AliasPath, Field, field_validator

from advisor.addresses import repository_of_links
from advisor.collect import parts
from advisor.collect.http.messages import (
    HttpRequest,
    HttpResponse,
    check_status,
    parse_origin,
    quote_segment,
    read_json,
)
from advisor.collect.http.recording import Recording
from advisor.collect.http.shapes import S, Shape, read_as
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import CollectionOutcome, EventHandler
from advisor.collect.sources import depsdev, pypi
from advisor.errors import CollectError, RepositoryNotFound

NPM = "https://registry.npmjs.org"
# Package URL type → deps.dev's name of the package system.
_SYSTEMS = {
    "pypi": "pypi", "npm": "npm", "golang": "go", "maven": "maven", "cargo": "cargo", "nuget": "nuget",
    "gem": "rubygems", "conda": "pypi",
}  # fmt: skip
_Url = Annotated[str, Field(max_length=2000)]


class Package(NamedTuple):
    """A package and the ecosystem of its index (a package URL type)."""

    ecosystem: str
    name: str


class _PyPIInfo(Shape):
    home_page: _Url | None = None
    project_urls: dict[str, _Url] | None = None


class _PyPI(Shape):
    info: _PyPIInfo


class _Npm(Shape):
    homepage: _Url = ""
    repository: _Url = ""

    @field_validator("repository", mode="before")
    @classmethod
    def _extract_url(cls, value: object) -> object:
        return value.get("url", "") if isinstance(value, dict) else value

    @field_validator("homepage", mode="before")
    @classmethod
    def _ignore_other_types(cls, value: object) -> object:
        return value if isinstance(value, str) else ""


class _Version(Shape):
    version: Annotated[str, Field(validation_alias=AliasPath("versionKey", "version"), max_length=200)]
    is_default: bool = Field(validation_alias="isDefault", default=False)


class _Versions(Shape):
    versions: list[_Version]


class _Link(Shape):
    label: Annotated[str, Field(max_length=200)] = ""
    url: _Url = ""


class _Links(Shape):
    links: list[_Link] = Field(default_factory=list)


def list_origins() -> list[str]:
    """Return the origins that `find_repositories` sends requests to."""
    return [parse_origin(host) for host in (pypi.HOST, NPM, depsdev.HOST)]


async def find_repositories(
    packages: Collection[Package],
    transport: Transport,
    store: Path,
    day: date,
    on_event: EventHandler,
    outcome: CollectionOutcome,
    record: Path | None = None,
) -> dict[Package, str]:
    """Find the repositories of packages and write them to the fact table ``packages``.

    Args:
        packages: packages to look up.
        transport: open for the origins of `list_origins`.
        store: folder of fact tables.
        day: retrieval day of the rows.
        on_event: receives an event for each package.
        outcome: receives the packages without a repository.
        record: file to write the requests and responses to.

    Returns:
        package → ``owner/name``, for the packages with a repository.
    """
    repositories: dict[Package, str] = {}
    recording = Recording(record, transport.secrets) if record else None
    transport.recorder = recording
    try:
        for package in packages:
            try:
                repository, source = await _find_repository(transport, package)
            except CollectError as error:
                is_final = isinstance(error, RepositoryNotFound)
                outcome.record_missing(on_event, package.name, "repository", error, is_final=is_final)
                continue
            if repository is None:
                reason = "its package index links to no GitHub repository"
                outcome.record_missing(on_event, package.name, "repository", reason, is_final=True)
                continue
            repositories[package] = repository
            on_event("package", {"package": package.name, "repository": repository})
            row = {
                "repository": repository, "ecosystem": package.ecosystem, "package": package.name,
                "source": source, "retrieved_at": day.isoformat(),
            }  # fmt: skip
            parts.add_rows(store, "packages", repository, "index", [row], ("ecosystem", "package"))
    finally:
        if recording:
            recording.close()
    return repositories


async def _find_repository(transport: Transport, package: Package) -> tuple[str | None, str]:
    """Return the repository and its source; the index first, because the authors write its links."""
    try:
        if package.ecosystem in {"pypi", "conda"}:
            info = (
                await _get(transport, f"{pypi.HOST}/pypi/{quote_segment(package.name)}/json", _PyPI, "PyPI")
            ).info
            repository = repository_of_links(
                [*(info.project_urls or {}).items(), ("homepage", info.home_page or "")]
            )
            if repository:
                return repository, "pypi"
        elif package.ecosystem == "npm":
            package_json = await _get(
                transport, f"{NPM}/{quote_segment(package.name)}/latest", _Npm, "npm's registry"
            )
            repository = repository_of_links(
                [("repository", package_json.repository), ("homepage", package_json.homepage)]
            )
            if repository:
                return repository, "npm"
    except RepositoryNotFound:
        if package.ecosystem != "conda":
            raise
    return await _ask_depsdev(transport, package), "depsdev"


async def _ask_depsdev(transport: Transport, package: Package) -> str | None:
    system = _SYSTEMS.get(package.ecosystem)
    if system is None:
        return None
    name = package.name.replace("/", ":") if system == "maven" else package.name
    base = f"{depsdev.HOST}/v3/systems/{system}/packages/{quote_segment(name)}"
    versions = (await _get(transport, base, _Versions, "deps.dev")).versions
    current = next((v.version for v in versions if v.is_default), None)
    if current is None:
        return None
    version = await _get(transport, f"{base}/versions/{quote_segment(current)}", _Links, "deps.dev")
    return repository_of_links([(link.label, link.url) for link in version.links])


async def _get(transport: Transport, url: str, shape: type[S], source: str) -> S:
    def parse(response: HttpResponse) -> S:
        return read_as(shape, read_json(check_status(response, source), source), f"{source}'s response")

    return await transport.send(HttpRequest("GET", url, {"accept": "application/json"}), parse)
