"""What pip and pip-audit say about the packages of a lock: licences, and known advisories."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BeforeValidator, Field

from advisor.collect.http.messages import clean_text
from advisor.collect.http.shapes import Shape, Text, read_as
from advisor.collect.install_weight.lock import Lock
from advisor.collect.install_weight.programs import ProgramError, Programs, run_program
from advisor.errors import Unsound

_LOCK, _REPORT = "lock.txt", "report.json"
# pip accepts the wheels of all these tags, because it reads only their licences.
_PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)),
    "manylinux2014_x86_64",
    "linux_x86_64",
]
_LONGEST_NAME = 80  # a longer text is the licence itself
_CLASSIFIER = "License :: "
# The trove classifiers that name one licence → its SPDX identifier (peps.python.org/pep-0639).
_SPDX = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "Zope Public License": "ZPL-2.1",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
}


class _Metadata(Shape):
    name: Annotated[Text, Field(max_length=200)]
    licence: str | None = Field(validation_alias="license", default=None)
    expression: str | None = Field(validation_alias="license_expression", default=None)
    classifiers: list[str] = Field(validation_alias="classifier", default_factory=list)


class _Entry(Shape):
    metadata: _Metadata


class _Report(Shape):
    install: list[_Entry]


def _count(value: object) -> object:
    return len(value) if isinstance(value, list) else value


class _AuditEntry(Shape):
    name: Annotated[Text, Field(max_length=200)]
    advisories: Annotated[int | None, BeforeValidator(_count)] = Field(validation_alias="vulns", default=None)


class _Audit(Shape):
    dependencies: list[_AuditEntry]


def read_licences(lock: Lock, programs: Programs) -> tuple[dict[str, str], str]:
    """Return package → licence as its metadata states it, and a note about what could not be read.

    Without a licence expression (PEP 639), the classifiers count, then the free text if it is short.
    """
    lines = "".join(f"{part.name}=={part.version}\n" for part in lock.parts if part.is_wheel)
    if not lines:
        return {}, ""
    version = lock.python.replace(".", "")
    command = [
        *programs.find_pip(),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--dry-run",
        "--ignore-installed",
        "--target",  # an older pip wants it with --platform
        "target",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--python-version",
        lock.python,
        "--implementation",
        "cp",
        *(word for abi in (f"cp{version}", "abi3", "none") for word in ("--abi", abi)),
        *(word for platform in _PLATFORMS for word in ("--platform", platform)),
        "--report",
        _REPORT,
        "--requirement",
        _LOCK,
    ]
    try:
        report = read_as(
            _Report, json.loads(run_program(command, programs, {_LOCK: lines}, _REPORT)), "pip's report"
        )
    except (ProgramError, Unsound, ValueError) as error:
        return {}, f"the licences are unknown: {error}"
    licences = {_normalise(e.metadata.name): _find_licence(e.metadata) for e in report.install}
    return {name: licence for name, licence in licences.items() if licence}, ""


def _find_licence(metadata: _Metadata) -> str:
    if metadata.expression:
        return clean_text(metadata.expression, _LONGEST_NAME)
    names = [c.rpartition(" :: ")[2] for c in metadata.classifiers if c.startswith(_CLASSIFIER)]
    names = [name for name in names if name != "OSI Approved"]
    if names:
        return clean_text(" OR ".join(sorted({_SPDX.get(name, name) for name in names})), _LONGEST_NAME)
    text = (metadata.licence or "").strip()
    return clean_text(text, _LONGEST_NAME) if 0 < len(text) <= _LONGEST_NAME and "\n" not in text else ""


def read_advisories(lock: Lock, programs: Programs) -> tuple[dict[str, int], str]:
    """Return package → number of advisories for its version, and a note about what could not be read.

    pip-audit knows the advisories of today: an old day of a lock has those that were found since.
    """
    if not lock.parts:
        return {}, ""
    lines = "".join(f"{part.name}=={part.version}\n" for part in lock.parts)
    command = [
        *programs.find_audit(),
        "--requirement",
        _LOCK,
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--format",
        "json",
        "--output",
        _REPORT,
    ]
    try:
        text = run_program(command, programs, {_LOCK: lines}, _REPORT, codes=(0, 1))
        audit = read_as(_Audit, json.loads(text), "pip-audit's report")
    except (ProgramError, Unsound, ValueError) as error:
        return {}, f"the advisories are unknown: {error}"
    advisories = {_normalise(a.name): a.advisories for a in audit.dependencies if a.advisories is not None}
    unknown = len(lock.parts) - len(advisories)
    return advisories, f"the advisories of {unknown} packages are unknown to pip-audit" if unknown else ""


def _normalise(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
