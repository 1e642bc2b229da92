"""The reference population: what other libraries reach, as percentiles, and the one reader of its file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.domain.files import data_folder, explain
from advisor.errors import ConfigError

FILE = Path("reference") / "population.json"


class Cell(BaseModel):
    """One metric over the libraries of one age and size: how many, and their values at the percentiles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    age: str
    size: str
    n: int = Field(ge=1)
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _rise(self) -> Cell:
        if list(self.values) != sorted(self.values):
            raise ValueError(f"the percentiles of {self.metric} do not rise")
        return self


class Cohort(BaseModel):
    """Libraries as of a day.

    Attributes:
        as_of: the day on which they were looked at.
        libraries: which ones, in words.
        percents: where on the scale from 0 to 100 the values of each cell stand.
        cells: one a metric, age and size; ``all`` where they are not told apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date
    libraries: str
    percents: tuple[int, ...]
    cells: tuple[Cell, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Cohort:
        if any(len(c.values) != len(self.percents) for c in self.cells):
            raise ValueError("a cell has not one value for each percentile")
        return self

    def of_all(self) -> dict[str, Cell]:
        """Metric → its cell over all ages and sizes."""
        return {c.metric: c for c in self.cells if c.age == c.size == "all"}

    def places(self) -> list[tuple[str, int, float]]:
        """(metric, per cent of the libraries at or below, value), over all ages and sizes."""
        return [
            (metric, percent, value)
            for metric, cell in self.of_all().items()
            for percent, value in zip(self.percents, cell.values, strict=True)
        ]


class Population(BaseModel):
    """The cohorts of the file.

    Attributes:
        active: those active at a day, by age and size: what a scale and the page compare with.
        listed: all that the lists held in their last month: what attention and substance are placed in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    active: Cohort
    listed: Cohort


def load_population(folder: Path | None = None) -> Population | None:
    """Read the file; None where there is none.

    Raises:
        ConfigError: it is damaged.
    """
    path = (folder or data_folder()) / FILE
    if not path.exists():
        return None
    try:
        return Population.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise explain(path, error) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error}") from None
