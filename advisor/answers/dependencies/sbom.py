"""Reads SBOMs (software bills of materials): CycloneDX 1.2 to 1.7, and SPDX 2.2, 2.3 and 3.0 in JSON.

The readers follow the published schemas. Only a few fields name a package, so no library for the whole
formats is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from advisor.addresses import github_repository, remove_credentials
from advisor.answers.dependencies import Dependency, cyclonedx_xml
from advisor.answers.dependencies.graph import trace
from advisor.answers.dependencies.indexes import pick_index
from advisor.answers.dependencies.text import Lines, parse_json, shorten
from advisor.errors import InputError

_NO_PACKAGES = frozenset({
    "application", "container", "cryptographic-asset", "data", "device", "device-driver", "firmware",
    "operating-system", "platform",
})  # fmt: skip
"""Types of components that are no package unless they have a package URL."""


def read_sbom(path: Path, text: str) -> list[Dependency]:
    """Return the components of an SBOM without the product that it describes.

    Raises:
        InputError: the file is malformed.
    """
    content, lines = parse_json(path, text), Lines(text)
    try:
        if content.get("bomFormat") == "CycloneDX":
            return _read_cyclonedx(path, content, lines)
        if "spdxVersion" in content:
            return list(_spdx2(path, content, lines))
        return list(_spdx3(path, content["@graph"], lines))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not an SBOM of CycloneDX or SPDX ({error})") from None


def read_cyclonedx_xml(path: Path, text: str) -> list[Dependency]:
    """Return the components of an SBOM of CycloneDX in XML without the product that it describes.

    Raises:
        InputError: the file is malformed.
    """
    content = cyclonedx_xml.parse(path, text)
    try:
        return _read_cyclonedx(path, content, Lines(text))
    except (TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: not an SBOM of CycloneDX ({error})") from None


def _read_cyclonedx(path: Path, content: Mapping[str, Any], lines: Lines) -> list[Dependency]:
    """Return the components with the path to each, if the SBOM has a graph that starts at the product."""
    pairs = list(_cyclonedx(path, content.get("components", []), lines))
    dependencies = [dependency for _, dependency in pairs if dependency.name]
    product = content.get("metadata", {}).get("component", {}).get("bom-ref")
    edges = {e["ref"]: e.get("dependsOn", []) for e in content.get("dependencies", [])}
    if product not in edges:
        return dependencies
    names = {reference: dependency.name for reference, dependency in pairs if reference}
    requires = {
        names[reference]: tuple(names[other] for other in others if other in names)
        for reference, others in edges.items()
        if reference in names
    }
    dependencies = [replace(d, requires=requires.get(d.name, ())) for d in dependencies]
    return trace(dependencies, {names[other]: () for other in edges[product] if other in names})


def is_sbom(content: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is an SBOM."""
    return content.get("bomFormat") == "CycloneDX" or "spdxVersion" in content or "@graph" in content


def _cyclonedx(
    path: Path, components: list[Mapping[str, Any]], lines: Lines
) -> Iterator[tuple[str | None, Dependency]]:
    """Yield (its reference in the SBOM, package) of each component."""
    for component in components:
        is_package = component.get("type") not in _NO_PACKAGES or bool(component.get("purl"))
        if component.get("type") != "file" and is_package:
            references = component.get("externalReferences", [])
            urls = [r["url"] for kind in ("vcs", "distribution") for r in references if r.get("type") == kind]
            group = component.get("group")
            name = f"{group}/{component['name']}" if group else component["name"]
            version = component.get("version")
            optional = ("optional",) if component.get("scope") == "optional" else ()
            dependency = _dependency(path, lines, name, version, component.get("purl"), urls, optional)
            yield component.get("bom-ref"), dependency
        yield from _cyclonedx(path, component.get("components", []), lines)


def _spdx2(path: Path, content: Mapping[str, Any], lines: Lines) -> Iterator[Dependency]:
    products = set(content.get("documentDescribes", []))
    products |= {
        r["relatedSpdxElement"]
        for r in content.get("relationships", [])
        if r["relationshipType"] == "DESCRIBES"
    }
    packages = content.get("packages", [])
    if len(products) == len(packages):  # a plain list: no package contains the others
        products = set()
    for package in packages:
        if package["SPDXID"] in products or not package["name"]:
            continue
        purls = [
            r["referenceLocator"] for r in package.get("externalRefs", []) if r["referenceType"] == "purl"
        ]
        urls = [package.get("downloadLocation", "")]
        yield _dependency(
            path, lines, package["name"], package.get("versionInfo"), next(iter(purls), None), urls
        )


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
        yield _dependency(path, lines, element["name"], element.get("software_packageVersion"), purl, urls)


def _dependency(
    path: Path,
    lines: Lines,
    name: str,
    version: str | None,
    purl: str | None,
    urls: list[str],
    groups: tuple[str, ...] = (),
) -> Dependency:
    repository = next((r for r in map(github_repository, urls) if r), None)
    is_claim = repository is not None
    addresses = [u for u in urls if "://" in u and github_repository(u) is None]
    ecosystem, line = "unknown", lines.find(name.rpartition("/")[2])
    url = None
    if purl:
        url = _parse_package_url(path, purl)
    if purl and url:
        ecosystem, version = url.type, url.version or version
        name = f"{url.namespace}/{url.name}" if url.namespace else url.name
        at = lines.find(purl.partition(":")[2])  # the name alone may occur earlier
        line = at if at > 1 else line
        if ecosystem == "pypi":
            name = canonicalize_name(url.name)
        elif ecosystem == "github":
            repository, is_claim = name, False
        elif ecosystem == "golang" and github_repository(name):
            repository, is_claim = github_repository(name), False
        addresses += [
            str(url.qualifiers[n]) for n in ("repository_url", "download_url") if n in url.qualifiers
        ]
    return Dependency(
        ecosystem, name, path.name, line, version=version, groups=groups, repository=repository,
        index=pick_index(ecosystem, addresses), is_claim=is_claim, parents=None,
    )  # fmt: skip


def _parse_package_url(path: Path, purl: str) -> PackageURL | None:
    """Return the package URL; None if it lacks a part, as scanners write it for what they do not know.

    Raises:
        InputError: it is no package URL at all.
    """
    try:
        return PackageURL.from_string(purl)
    except ValueError as error:
        if purl.startswith("pkg:"):
            return None
        raise InputError(
            f"{path}: {shorten(remove_credentials(purl))!r} is not a package URL: {shorten(str(error))}"
        ) from None
