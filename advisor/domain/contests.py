"""Public contests: a question, a day, and the libraries among which people could choose then."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from advisor.domain.files import StrictModel, data_folder, describe_error, read_toml

FOLDER, FILE = "contests", "contests.toml"
FEWEST_CANDIDATES = 2


class Contest(StrictModel):
    """A choice that people had.

    Attributes:
        day: the day of the choice.
        why: why the choice was open.
        text: address of a public text of that time that names the libraries.
        candidates: repositories, by their names of today.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    question: str
    day: date
    why: str
    text: str
    candidates: tuple[str, ...] = Field(min_length=FEWEST_CANDIDATES)

    @model_validator(mode="after")
    def _names_each_once(self) -> Contest:
        if len({name.lower() for name in self.candidates}) < len(self.candidates):
            raise ValueError(f"contest {self.name} names a candidate twice")
        return self


class _File(StrictModel):
    contest: tuple[Contest, ...] = Field(min_length=1)


def contests_folder() -> Path:
    """Return the folder of the bundled contests."""
    return data_folder() / FOLDER


def load_contests(folder: Path) -> tuple[Contest, ...]:
    """Read the contests of a folder.

    Raises:
        ConfigError: the file cannot be read, or a contest is malformed.
    """
    path = folder / FILE
    content = read_toml(path)
    try:
        return _File.model_validate(content).contest
    except ValidationError as error:
        raise describe_error(path, error) from None
