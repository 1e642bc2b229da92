"""Whose package that is, asked of the index that serves it and then of deps.dev.

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
from advisor.collect.http.messages import Answer, Request, check_status, json_of, origin, segment
from advisor.collect.http.recording import Recording
from advisor.collect.http.shapes import S, Shape, read_as
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import Outcome, Tell
from advisor.collect.sources import depsdev, pypi
from advisor.errors import CollectError, RepositoryNotFound

NPM = "https://registry.npmjs.org"
# Types of package URLs as deps.dev names their systems.
_SYSTEMS = {
    "pypi": "pypi", "npm": "npm", "golang": "go", "maven": "maven", "cargo": "cargo", "nuget": "nuget",
    "gem": "rubygems", "conda": "pypi",
}  # fmt: skip
_Url = Annotated[str, Field(max_length=2000)]


class Package(NamedTuple):
    """A package as an index names it."""

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
    def _the_url_of_it(cls, value: object) -> object:
        return value.get("url", "") if isinstance(value, dict) else value

    @field_validator("homepage", mode="before")
    @classmethod
    def _if_it_is_one(cls, value: object) -> object:
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


def hosts() -> list[str]:
    """The origins that are asked."""
    return [origin(host) for host in (pypi.HOST, NPM, depsdev.HOST)]


async def find(
    packages: Collection[Package],
    transport: Transport,
    store: Path,
    day: date,
    tell: Tell,
    outcome: Outcome,
    record: Path | None = None,
) -> dict[Package, str]:
    """Ask whose these are, and keep what is found as facts.

    Args:
        packages: whom to ask about.
        transport: open for `hosts`.
        store: folder of facts.
        day: the day that the rows carry.
        tell: is told of each.
        outcome: takes what could not be had.
        record: file to write the exchanges to.

    Returns:
        package → ``owner/name``, for those of which something says it.
    """
    found = {}
    recording = Recording(record, transport.secrets) if record else None
    transport.recorder = recording
    try:
        for package in packages:
            try:
                repository, source = await _ask(transport, package)
            except CollectError as error:
                is_final = isinstance(error, RepositoryNotFound)
                outcome.miss(tell, package.name, "repository", error, is_final=is_final)
                continue
            if repository is None:
                why = "its index links to no repository on GitHub"
                outcome.miss(tell, package.name, "repository", why, is_final=True)
                continue
            found[package] = repository
            tell("package", {"package": package.name, "repository": repository})
            row = {
                "repository": repository, "ecosystem": package.ecosystem, "package": package.name,
                "source": source, "retrieved_at": day.isoformat(),
            }  # fmt: skip
            parts.add(store, "packages", repository, "index", [row], ("ecosystem", "package"))
    finally:
        if recording:
            recording.close()
    return found


async def _ask(transport: Transport, package: Package) -> tuple[str | None, str]:
    """The repository and who says so; the index first, since it has the word of the authors."""
    try:
        if package.ecosystem in {"pypi", "conda"}:
            info = (
                await _get(transport, f"{pypi.HOST}/pypi/{segment(package.name)}/json", _PyPI, "PyPI")
            ).info
            own = repository_of_links(
                [*(info.project_urls or {}).items(), ("homepage", info.home_page or "")]
            )
            if own:
                return own, "pypi"
        elif package.ecosystem == "npm":
            answer = await _get(transport, f"{NPM}/{segment(package.name)}/latest", _Npm, "npm's registry")
            own = repository_of_links([("repository", answer.repository), ("homepage", answer.homepage)])
            if own:
                return own, "npm"
    except RepositoryNotFound:
        if package.ecosystem != "conda":
            raise
    return await _of_depsdev(transport, package), "depsdev"


async def _of_depsdev(transport: Transport, package: Package) -> str | None:
    system = _SYSTEMS.get(package.ecosystem)
    if system is None:
        return None
    name = package.name.replace("/", ":") if system == "maven" else package.name
    base = f"{depsdev.HOST}/v3/systems/{system}/packages/{segment(name)}"
    versions = (await _get(transport, base, _Versions, "deps.dev")).versions
    current = next((v.version for v in versions if v.is_default), None)
    if current is None:
        return None
    about = await _get(transport, f"{base}/versions/{segment(current)}", _Links, "deps.dev")
    return repository_of_links([(link.label, link.url) for link in about.links])


async def _get(transport: Transport, url: str, shape: type[S], source: str) -> S:
    def read(answer: Answer) -> S:
        return read_as(shape, json_of(check_status(answer, source), source), f"{source}'s answer")

    return await transport.send(Request("GET", url, {"accept": "application/json"}), read)
