"""The bundled data files, and how a TOML file is read and checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from advisor.errors import ConfigError, SnapshotMissing


class StrictModel(BaseModel):
    """A frozen record of a TOML file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def data_folder() -> Path:
    """Where the bundled data lie: inside an installed wheel, or beside the package in a checkout.

    Raises:
        SnapshotMissing: the installation is incomplete.
    """
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "_data", here.parent / "data"):
        if (folder / "domains").is_dir():
            return folder
    raise SnapshotMissing(f"no bundled data beside {here}; install advisor again")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: it cannot be read or is not TOML; the message names file and line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None


def explain(path: Path, error: ValidationError) -> ConfigError:
    """Pydantic's first complaint as one line: file, place, what is wrong."""
    first = error.errors()[0]
    place = ".".join(str(p) for p in first["loc"]) or "the file"
    return ConfigError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}")
