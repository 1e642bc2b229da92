"""The joint distribution of the metrics over many libraries, read from its file.

Each metric has a normal scale: its values at fixed places from -2.4 to 2.4 standard deviations. On these
scales the metrics are jointly normal (a Gaussian copula; Hoff, *Annals of Applied Statistics* 1, 2007), so
that any known metrics predict any others. `advisor.decide.missing` does so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.domain.files import data_folder, describe_error
from advisor.errors import ConfigError

JOINT_DISTRIBUTION_FILE = Path("reference") / "joint_distribution.json"
POINTS = 20


class Margin(BaseModel):
    """One metric: its mean on the normal scale, and its values at the places of the scale, ascending."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    mean: float
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _rise(self) -> Margin:
        if list(self.values) != sorted(self.values):
            raise ValueError("the values are not in ascending order")
        return self


class JointDistribution(BaseModel):
    """Metrics and their covariance.

    Attributes:
        about: where the numbers come from.
        knots: places on the normal scale at which the margins have values.
        points: middles of 20 equally likely parts of a normal distribution.
        metrics: metric → margin; ``age_days`` is the age of the repository.
        covariance: one row and one column for each metric, in the same order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    about: Mapping[str, Any]
    knots: tuple[float, ...] = Field(min_length=2)
    points: tuple[float, ...] = Field(min_length=POINTS, max_length=POINTS)
    metrics: Mapping[str, Margin]
    covariance: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _whole(self) -> JointDistribution:
        if any(len(m.values) != len(self.knots) for m in self.metrics.values()):
            raise ValueError("a metric must have one value for each knot")
        if {len(self.covariance), *map(len, self.covariance)} != {len(self.metrics)}:
            raise ValueError("the covariance must have one row and one column for each metric")
        return self


@lru_cache(maxsize=4)
def load_joint_distribution(folder: Path | None = None) -> JointDistribution | None:
    """Read the file of the joint distribution; None if it does not exist.

    Raises:
        ConfigError: the file is damaged.
    """
    path = (folder or data_folder()) / JOINT_DISTRIBUTION_FILE
    if not path.exists():
        return None
    try:
        return JointDistribution.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise describe_error(path, error) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error}") from None
