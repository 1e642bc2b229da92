"""The organisations behind libraries."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from advisor.domain.files import StrictModel, data_folder, explain, read_toml


class Organisation(StrictModel):
    """Who stands behind a library; ``kind`` as the source shows it.

    ``vendor`` is the name under which it publishes models in model_families.toml, if it does.
    """

    name: str
    kind: str
    vendor: str | None = None
    domains: tuple[str, ...] = ()
    github: tuple[str, ...] = ()
    source: str
    as_of: str = ""


def load_organisations(folder: Path | None = None) -> dict[str, Organisation]:
    """The sourced table of organisations, by key."""
    path = (folder or data_folder()) / "organisations.toml"
    try:
        return {key: Organisation.model_validate(o) for key, o in read_toml(path).items()}
    except ValidationError as error:
        raise explain(path, error) from None
