"""Turns an SBOM of CycloneDX in XML into the values of its JSON form.

The schema (cyclonedx.org, "XML reference") has one element or attribute for each key of the JSON form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from advisor.answers.dependencies.text import parse_xml
from advisor.errors import InputError

_DEPTH_LIMIT = 200


def parse(path: Path, text: str) -> dict[str, Any]:
    """Return components, metadata and dependencies.

    Raises:
        InputError: the text is not XML of CycloneDX, or it defines entities, which no SBOM needs.
    """
    root = parse_xml(path, text)
    namespace, _, name = root.tag.rpartition("}")
    if name != "bom" or "cyclonedx.org" not in namespace:
        raise InputError(f"{path}: not an SBOM of CycloneDX: its first element is {name}")
    tag = f"{namespace}}}" if namespace else ""
    product = root.find(f"{tag}metadata/{tag}component")
    return {
        "metadata": {"component": _component(product, tag, path) if product is not None else {}},
        "components": [_component(e, tag, path) for e in root.iterfind(f"{tag}components/{tag}component")],
        "dependencies": [
            {"ref": e.get("ref"), "dependsOn": [o.get("ref") for o in e.iterfind(f"{tag}dependency")]}
            for e in root.iterfind(f"{tag}dependencies/{tag}dependency")
        ],
    }


def _component(element: ET.Element, tag: str, path: Path, depth: int = 0) -> dict[str, Any]:
    if depth > _DEPTH_LIMIT:
        raise InputError(f"{path}: it is nested too deeply")
    names = ("group", "name", "version", "purl", "scope")
    fields: dict[str, Any] = {n: (element.findtext(f"{tag}{n}") or "").strip() or None for n in names}
    return {
        **fields,
        "name": fields["name"] or "",
        "type": element.get("type"),
        "bom-ref": element.get("bom-ref"),
        "externalReferences": list(_references(element, tag)),
        "components": [
            _component(e, tag, path, depth + 1) for e in element.iterfind(f"{tag}components/{tag}component")
        ],
    }


def _references(element: ET.Element, tag: str) -> Iterator[dict[str, Any]]:
    for reference in element.iterfind(f"{tag}externalReferences/{tag}reference"):
        yield {"type": reference.get("type"), "url": (reference.findtext(f"{tag}url") or "").strip()}
