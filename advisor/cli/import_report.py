"""The summary of an import, printed."""

from __future__ import annotations


def report(imported: dict[str, int]) -> None:
    """Say how many rows came in, a line a repository."""
    for repository, rows in sorted(imported.items()):
        print(f"{repository}: {rows} rows")
