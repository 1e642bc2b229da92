"""The organisations behind libraries, from organisations.toml."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml


class Organisation(StrictModel):
    """An organisation; ``kind`` is as in its source.

    ``vendor`` is its name as a vendor in model_families.toml, if it publishes models.
    """

    name: str
    kind: str
    vendor: str | None = None
    domains: tuple[str, ...] = ()
    github: tuple[str, ...] = ()
    source: str
    as_of: str = ""


def load_organisations(folder: Path | None = None) -> dict[str, Organisation]:
    """Read organisations.toml, by key.

    Raises:
        ConfigError: the file is invalid.
    """
    path = (folder or data_folder()) / "organisations.toml"
    try:
        return {key: Organisation.model_validate(o) for key, o in read_toml(path).items()}
    except ValidationError as error:
        raise describe_error(path, error) from None
