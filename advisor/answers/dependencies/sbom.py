"""Bills of materials: CycloneDX (1.2 to 1.7) and SPDX (2.2, 2.3 and 3.0) in JSON.

Read by their published schemas: the fields that name a package are few, and the libraries for the whole
formats weigh more than all of advisor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from advisor.addresses import github_repository
from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.text import Lines, parse_json, read_text
from advisor.errors import InputError


def read(path: Path) -> list[Dependency]:
    """The components of the bill, but for the thing that it describes.

    Raises:
        InputError: the file is wrong.
    """
    text = read_text(path)
    content, lines = parse_json(path, text), Lines(text)
    try:
        if content.get("bomFormat") == "CycloneDX":
            return list(_cyclonedx(path, content.get("components", []), lines))
        if "spdxVersion" in content:
            return list(_spdx2(path, content, lines))
        return list(_spdx3(path, content["@graph"], lines))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: it is not as CycloneDX or SPDX say ({error})") from None


def is_sbom(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a bill."""
    return content.get("bomFormat") == "CycloneDX" or "spdxVersion" in content or "@graph" in content


def _cyclonedx(path: Path, components: list[Mapping[str, Any]], lines: Lines) -> Iterator[Dependency]:
    for component in components:
        if component.get("type") != "file":
            urls = [r["url"] for r in component.get("externalReferences", []) if r.get("type") == "vcs"]
            group = component.get("group")
            name = f"{group}/{component['name']}" if group else component["name"]
            version = component.get("version")
            optional = ("optional",) if component.get("scope") == "optional" else ()
            yield _of(path, lines, name, version, component.get("purl"), urls, optional)
        yield from _cyclonedx(path, component.get("components", []), lines)


def _spdx2(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    described = set(content.get("documentDescribes", []))
    described |= {
        r["relatedSpdxElement"]
        for r in content.get("relationships", [])
        if r["relationshipType"] == "DESCRIBES"
    }
    packages = content.get("packages", [])
    if len(described) == len(packages):  # a bare list: nothing of it contains the others
        described = set()
    for package in packages:
        if package["SPDXID"] in described:
            continue
        purls = [
            r["referenceLocator"] for r in package.get("externalRefs", []) if r["referenceType"] == "purl"
        ]
        urls = [package.get("downloadLocation", "")]
        yield _of(path, lines, package["name"], package.get("versionInfo"), next(iter(purls), None), urls)


def _spdx3(path: Path, graph: list[Mapping[str, Any]], lines: Lines) -> Iterator[Dependency]:
    roots = {r for e in graph if e.get("type") == "software_Sbom" for r in e.get("rootElement", [])}
    for element in graph:
        if element.get("type") != "software_Package" or element.get("spdxId") in roots:
            continue
        purl = element.get("software_packageUrl") or next(
            (
                i["identifier"]
                for i in element.get("externalIdentifier", [])
                if i.get("externalIdentifierType") == "packageUrl"
            ),
            None,
        )
        urls = [element.get("software_downloadLocation", "")]
        yield _of(path, lines, element["name"], element.get("software_packageVersion"), purl, urls)


def _of(
    path: Path,
    lines: Lines,
    name: str,
    version: str | None,
    purl: str | None,
    urls: list[str],
    groups: tuple[str, ...] = (),
) -> Dependency:
    repository = next((r for r in map(github_repository, urls) if r), None)
    ecosystem, line = "unknown", lines.of(name.rpartition("/")[2])
    if purl:
        try:
            found = PackageURL.from_string(purl)
        except ValueError as error:
            raise InputError(f"{path}: {purl!r} is no package URL: {error}") from None
        ecosystem, version = found.type, found.version or version
        name = f"{found.namespace}/{found.name}" if found.namespace else found.name
        at = lines.of(purl.partition(":")[2])  # the name may stand elsewhere first
        line = at if at > 1 else line
        if ecosystem == "pypi":
            name = canonicalize_name(found.name)
        elif ecosystem == "github":
            repository = repository or name
        elif ecosystem == "golang":
            repository = repository or github_repository(name)
    return Dependency(ecosystem, name, path.name, line, version=version, groups=groups, repository=repository)
