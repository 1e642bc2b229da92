"""Read the status that the README declares, commit by commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.collect.git.dates import Warn, format_day, ignore
from advisor.collect.git.declared_status import find_declared_status
from advisor.collect.git.root_files import list_versions, read_texts

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("README.md", "README.rst", "README.txt", "README", "readme.md")


def read_statuses(folder: Path, warn: Warn = ignore) -> list[dict[str, Any]]:
    """Build the rows of ``repositories``: one for the first README and one per change of status."""
    rows: list[dict[str, Any]] = []
    declarations: dict[str, tuple[str, str]] = {}
    for version, text in read_texts(folder, list_versions(folder, _NAMES), "the README", warn):
        declarations.pop(version.path, None)
        if text is not None:
            declarations[version.path] = find_declared_status(text)
        path = next((p for p, (status, _) in declarations.items() if status != "active"), version.path)
        status, sentence = declarations.get(path, ("active", ""))
        if declarations and (not rows or rows[-1]["declared_status"] != status):
            rows.append(
                {
                    "observed_on": format_day(version.time),
                    "declared_status": status,
                    "evidence": sentence,
                    "evidence_path": path,
                    "evidence_commit": version.sha,
                }
            )
    return rows
