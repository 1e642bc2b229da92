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

from advisor.addresses import github_repository, repository_of_links
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
from advisor.facts.tables import ATTESTATION

NPM = "https://registry.npmjs.org"
# Package URL type → deps.dev's name of the package system.
_SYSTEMS = {
    "pypi": "pypi", "npm": "npm", "golang": "go", "maven": "maven", "cargo": "cargo", "nuget": "nuget",
    "gem": "rubygems",
}  # fmt: skip
SERVICES = {"pypi": pypi.HOST, "npm": NPM, "deps.dev": depsdev.HOST}
"""Services that know repositories of packages, and their addresses."""
_Url = Annotated[str, Field(max_length=2000)]


class Package(NamedTuple):
    """A package and the ecosystem of its index (a package URL type)."""

    ecosystem: str
    name: str


class _PyPIInfo(Shape):
    version: Annotated[str, Field(max_length=200)] = ""
    home_page: _Url | None = None
    project_urls: dict[str, _Url] | None = None


class _PyPI(Shape):
    info: _PyPIInfo


class _Npm(Shape):
    version: Annotated[str, Field(max_length=200)] = ""
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


class _Project(Shape):
    name: Annotated[str, Field(validation_alias=AliasPath("projectKey", "id"), max_length=300)] = ""
    relation: Annotated[str, Field(validation_alias="relationType", max_length=100)] = ""
    provenance: Annotated[str, Field(validation_alias="relationProvenance", max_length=100)] = ""


class _Links(Shape):
    links: list[_Link] = Field(default_factory=list)
    projects: list[_Project] = Field(validation_alias="relatedProjects", default_factory=list)


def list_origins() -> list[str]:
    """Return the origins that `find_repositories` sends requests to."""
    return [parse_origin(host) for host in SERVICES.values()]


def plan_services(ecosystem: str, services: Collection[str] = tuple(SERVICES)) -> tuple[str, ...]:
    """Return the services to ask about a package of an ecosystem, in order; none of them may be allowed."""
    own = [ecosystem] if ecosystem in {"pypi", "npm"} else []
    last = ["deps.dev"] if ecosystem in _SYSTEMS else []
    return tuple(service for service in (*own, *last) if service in services)


async def find_repositories(
    packages: Collection[Package],
    transport: Transport,
    store: Path,
    day: date,
    on_event: EventHandler,
    outcome: CollectionOutcome,
    record: Path | None = None,
    services: Collection[str] = tuple(SERVICES),
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
        services: services that may be asked, of `SERVICES`.

    Returns:
        package → ``owner/name``, for the packages with a repository.
    """
    repositories: dict[Package, str] = {}
    recording = Recording(record, transport.secrets) if record else None
    transport.recorder = recording
    try:
        for package in packages:
            try:
                repository, source = await _find_repository(transport, package, services)
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


async def _find_repository(
    transport: Transport, package: Package, services: Collection[str]
) -> tuple[str | None, str]:
    """Return the repository and its source.

    The index is first, because the authors write its links, and a name that it does not know goes no
    further. deps.dev knows whether an attestation proves the repository.
    """
    repository, source, version = None, "", ""
    plan = plan_services(package.ecosystem, services)
    if "pypi" in plan:
        url = f"{pypi.HOST}/pypi/{quote_segment(package.name)}/json"
        info = (await get_json(transport, url, _PyPI, "PyPI")).info
        repository = repository_of_links(
            [*(info.project_urls or {}).items(), ("homepage", info.home_page or "")]
        )
        source, version = "pypi", info.version
    elif "npm" in plan:
        url = f"{NPM}/{quote_segment(package.name)}/latest"
        package_json = await get_json(transport, url, _Npm, "npm's registry")
        links = [("repository", package_json.repository), ("homepage", package_json.homepage)]
        repository, source, version = repository_of_links(links), "npm", package_json.version
    if "deps.dev" not in plan:
        return repository, source
    try:
        links_of_version = await _ask_depsdev(transport, package, version)
    except CollectError:
        if repository is None:
            raise
        return repository, source  # it stays a claim
    proven = _attested_repository(links_of_version)
    if proven is not None:
        return proven, ATTESTATION
    if repository is not None:
        return repository, source
    return repository_of_links([(link.label, link.url) for link in links_of_version.links]), "depsdev"


def _attested_repository(version: _Links) -> str | None:
    """Return the repository that an attestation proves.

    Source: docs.deps.dev/api, ``RelationProvenance``: ``UNVERIFIED_METADATA`` is the package's own word.
    """
    proven = {
        repository
        for project in version.projects
        if project.relation == "SOURCE_REPO" and project.provenance.endswith(("_ATTESTATION", "GO_ORIGIN"))
        if (repository := github_repository(project.name))
    }
    return proven.pop() if len(proven) == 1 else None


async def _ask_depsdev(transport: Transport, package: Package, version: str) -> _Links:
    """Return what deps.dev knows about a version; without one, about the default version."""
    system = _SYSTEMS[package.ecosystem]
    name = package.name.replace("/", ":") if system == "maven" else package.name
    base = f"{depsdev.HOST}/v3/systems/{system}/packages/{quote_segment(name)}"
    if not version:
        versions = (await get_json(transport, base, _Versions, "deps.dev")).versions
        version = next((v.version for v in versions if v.is_default), "")
        if not version:
            return _Links()
    return await get_json(transport, f"{base}/versions/{quote_segment(version)}", _Links, "deps.dev")


async def get_json(transport: Transport, url: str, shape: type[S], source: str) -> S:
    """Return the answer of a package index.

    Raises:
        CollectError: there is none, or it has another shape.
    """

    def parse(response: HttpResponse) -> S:
        return read_as(shape, read_json(check_status(response, source), source), f"{source}'s response")

    return await transport.send(HttpRequest("GET", url, {"accept": "application/json"}), parse)
