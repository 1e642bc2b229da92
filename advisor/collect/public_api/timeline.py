"""The public API over the releases: which names came and went, and what changed incompatibly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.collect.public_api.changes import Change
from advisor.collect.public_api.names import Api
from advisor.collect.public_api.releases import Release

Rows = list[dict[str, Any]]


@dataclass
class Timeline:
    """Rows of ``api_releases``, ``api_names`` and ``api_changes``, oldest release first."""

    releases: Rows = field(default_factory=list)
    names: Rows = field(default_factory=list)
    changes: Rows = field(default_factory=list)

    def continues_in(self, line: list[Release]) -> bool:
        """Return whether the releases of the main line begin with those that were read before."""
        commits = [(row["tag"], row["evidence_commit"] or "") for row in self.releases]
        return commits == [(release.tag, release.commit) for release in line[: len(commits)]]

    def count_readable(self) -> int:
        """Return how many releases there are up to the last one whose API is known."""
        known = [number for number, row in enumerate(self.releases, 1) if row["reason"] is None]
        return max(known, default=0)

    def list_missing(self, line: Sequence[Release]) -> tuple[Release | None, list[Release]]:
        """Return the last known release to compare with, and the releases to read, this one first."""
        count = self.count_readable()
        base = line[count - 1] if count else None
        return base, [*([base] if base else []), *line[len(self.releases) :]]

    def add_unknown(self, release: Release, reason: str) -> None:
        """Add a release whose API could not be read."""
        self.releases.append({**_describe(release), "package": None, "names": None, "reason": reason})

    def add(self, release: Release, package: str, api: Api, changes: Iterable[Change]) -> None:
        """Add the API of the next release, and how it differs from the last one that is known."""
        count = sum(name.kind != "module" and not name.is_alias for name in api.names.values())
        row = {**_describe(release), "package": package, "names": count, "reason": None}
        self.releases.append(row)
        version = row["version"]
        current = {(r["name"], r["kind"], r["is_alias"]): r for r in self.names if r["removed_on"] is None}
        keys = {(path, name.kind, name.is_alias): name for path, name in api.names.items()}
        for key in current.keys() - keys.keys():
            current[key] |= {"removed_in": version, "removed_on": release.day}
        for key, name in sorted(keys.items()):
            if key not in current:
                current[key] = {
                    **dict(zip(("name", "kind", "is_alias"), key, strict=True)),
                    "added_in": version, "added_on": release.day,
                    "deprecated_on": None, "removed_in": None, "removed_on": None,
                }  # fmt: skip
                self.names.append(current[key])
            if name.is_deprecated and current[key]["deprecated_on"] is None:
                current[key]["deprecated_on"] = release.day
        self.changes += [
            {"version": version, "released_on": release.day, **change._asdict()} for change in changes
        ]


def _describe(release: Release) -> Mapping[str, Any]:
    return {
        "tag": release.tag,
        "version": str(release.version),
        "released_on": release.day,
        "step": release.step,
        "evidence_commit": release.commit or None,
    }
