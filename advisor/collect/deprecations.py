"""Ask npm's registry whether the authors of a package advise against the version that a project uses.

Source: docs.npmjs.com, "npm deprecate"; ``GET /<package>/<version>`` of the registry has ``deprecated``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, field_validator

from advisor.collect import parts
from advisor.collect.http.messages import parse_origin, quote_segment
from advisor.collect.http.recording import Recording
from advisor.collect.http.shapes import Shape
from advisor.collect.http.transport import Transport
from advisor.collect.outcome import CollectionOutcome, EventHandler
from advisor.collect.package_index import NPM, get_json
from advisor.errors import CollectError, RepositoryNotFound

ORIGIN = parse_origin(NPM)
"""The origin that `find_deprecations` sends requests to."""
_MESSAGE_LIMIT = 500


class Version(NamedTuple):
    """A version of a package on npm; None: the newest."""

    package: str
    version: str | None


class _Version(Shape):
    message: Annotated[str | None, Field(validation_alias="deprecated")] = None

    @field_validator("message", mode="before")
    @classmethod
    def _clean(cls, value: object) -> object:
        """An author may leave the message empty, which takes the deprecation back, or set only a flag."""
        if isinstance(value, str):
            return " ".join(value.split())[:_MESSAGE_LIMIT] or None
        return "without a reason" if value is True else None


async def find_deprecations(
    versions: Mapping[Version, str],
    transport: Transport,
    store: Path,
    day: date,
    on_event: EventHandler,
    outcome: CollectionOutcome,
    record: Path | None = None,
) -> None:
    """Write to the fact table ``deprecations`` what npm says about versions, unless it is there of this day.

    Args:
        versions: version → repository of its package.
        transport: open for `ORIGIN`.
        store: folder of fact tables.
        day: retrieval day of the rows.
        on_event: receives an event for each package that could not be read.
        outcome: receives the packages that could not be read.
        record: file to add the requests and responses to.
    """
    recording = Recording(record, transport.secrets, append=True) if record else None
    transport.recorder = recording
    try:
        for (package, version), repository in versions.items():
            row = {"repository": repository, "ecosystem": "npm", "package": package, "version": version,
                   "source": "npm", "retrieved_at": day.isoformat()}  # fmt: skip
            earlier = parts.read_part(store, "deprecations", repository, "npm")
            if (package, version, day) in {(r["package"], r["version"], r["retrieved_at"]) for r in earlier}:
                continue
            url = f"{NPM}/{quote_segment(package)}/{quote_segment(version or 'latest')}"
            try:
                answer = await get_json(transport, url, _Version, "npm's registry")
            except CollectError as error:
                is_final = isinstance(error, RepositoryNotFound)
                outcome.record_missing(on_event, package, "deprecation", error, is_final=is_final)
                continue
            row["message"] = answer.message
            key = ("ecosystem", "package", "version")
            parts.add_rows(store, "deprecations", repository, "npm", [row], key)
    finally:
        if recording:
            recording.close()
