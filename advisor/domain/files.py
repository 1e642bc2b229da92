"""Find the bundled data, and read and validate TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from advisor.errors import ConfigError, InputError, SnapshotMissing
from advisor.files import read_text

_MESSAGES = {"missing": "the key is missing", "extra_forbidden": "unknown key"}
"""What pydantic says less plainly, by the type of its error."""


class StrictModel(BaseModel):
    """Base class for the tables of a TOML file: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def data_folder() -> Path:
    """Return the folder of the bundled data: in an installed wheel, or beside the package in a checkout.

    Raises:
        SnapshotMissing: the installation is incomplete.
    """
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "_data", here.parent / "data"):
        if (folder / "domains").is_dir():
            return folder
    raise SnapshotMissing(f"the bundled data is missing beside {here}; install advisor again")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: it cannot be read or is not TOML; the message has the file and the line.
    """
    try:
        return tomllib.loads(read_text(path))
    except InputError as error:
        raise ConfigError(str(error)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None


def describe_error(path: Path, error: ValidationError) -> ConfigError:
    """Return pydantic's first error as one line: file, key, problem."""
    first = error.errors()[0]
    message = _MESSAGES.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    parts = [str(path), ".".join(map(str, first["loc"])), message]
    return ConfigError(": ".join(part for part in parts if part))
