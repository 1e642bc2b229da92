"""Addresses of what a page names: repositories, files, packages. A text that is no such name has none."""

from __future__ import annotations

import re
from typing import Any

from advisor.answers.projects import Project
from advisor.model import Candidate

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


def repository_url(repository: str) -> str:
    """Return the address of a repository on GitHub; empty if it is not named ``owner/name``."""
    return f"https://github.com/{repository}" if _REPOSITORY.fullmatch(repository) else ""


def project_row(candidate: Candidate, project: Project) -> dict[str, Any]:
    """Return what a reader opens or copies of a candidate; an address is empty if there is none."""
    repository = repository_url(candidate.repository)
    package = candidate.package or ""
    is_package = bool(repository and _PACKAGE.fullmatch(package))
    file = _quote(f"{project.commit}/{project.path}")
    return {
        "name": candidate.name,
        "repository": candidate.repository,
        "url": repository,
        "install": f"pip install {package}" if is_package else "",
        "package": package if is_package else "",
        "package_url": f"https://pypi.org/project/{package}/" if is_package else "",
        "licence": project.licence,
        "backer": candidate.backer or "",
        "backer_url": (candidate.backer_source or "") if repository and _is_web(candidate) else "",
        "statement": project.statement,
        "statement_url": f"{repository}/blob/{file}" if repository and project.commit else "",
    }


def _quote(path: str) -> str:
    """Return a path for an address (RFC 3986); `urllib` belongs to the half that reaches the network."""
    return re.sub(r"[^A-Za-z0-9/._~-]", lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), path)


def _is_web(candidate: Candidate) -> bool:
    return (candidate.backer_source or "").startswith("https://")
