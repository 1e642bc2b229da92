"""The reference population: percentiles of the metrics of many libraries, read from its file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.domain.files import data_folder, describe_error
from advisor.errors import ConfigError

PERCENTILES_FILE = Path("reference") / "percentiles.json"


class Cell(BaseModel):
    """One metric of the libraries of one age and size: their number and the values at the percentiles."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    metric: str
    age: str
    size: str
    n: int = Field(ge=1)
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _rise(self) -> Cell:
        if list(self.values) != sorted(self.values):
            raise ValueError(f"the percentiles of {self.metric} are not in ascending order")
        return self


class Cohort(BaseModel):
    """Libraries as of a day.

    Attributes:
        as_of: the date of the values.
        libraries: description of the libraries.
        percents: the percentiles of the values of each cell, from 0 to 100.
        cells: one per metric, age and size; ``all``: any age or size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    as_of: date
    libraries: str
    percents: tuple[int, ...]
    cells: tuple[Cell, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Cohort:
        if any(len(c.values) != len(self.percents) for c in self.cells):
            raise ValueError("a cell must have one value for each percentile")
        return self

    def of_all(self) -> dict[str, Cell]:
        """Return metric → its cell over all ages and sizes."""
        return {c.metric: c for c in self.cells if c.age == c.size == "all"}

    def places(self) -> list[tuple[str, int, float]]:
        """Return (metric, per cent of the libraries at or below, value), over all ages and sizes."""
        return [
            (metric, percent, value)
            for metric, cell in self.of_all().items()
            for percent, value in zip(self.percents, cell.values, strict=True)
        ]


class Percentiles(BaseModel):
    """The two cohorts of the file.

    Attributes:
        active: the libraries active on a day, by age and size; scales and the dashboard use it.
        listed: all libraries in the last month of the lists; attention and substance use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    active: Cohort
    listed: Cohort


def load_percentiles(folder: Path | None = None) -> Percentiles | None:
    """Read the file of percentiles; None if it does not exist.

    Raises:
        ConfigError: the file is damaged.
    """
    path = (folder or data_folder()) / PERCENTILES_FILE
    if not path.exists():
        return None
    try:
        return Percentiles.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise describe_error(path, error) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error}") from None
