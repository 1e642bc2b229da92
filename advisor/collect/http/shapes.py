"""Shapes that answers of any source are checked against, and the rows that many of them become.

Everything is checked before anything is kept: types, ranges, lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from advisor.collect.http.messages import clean
from advisor.errors import Unsound

S = TypeVar("S", bound="Shape")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def _in_range(time: datetime) -> datetime:
    if not EARLIEST < time < _LATEST:
        raise ValueError("a time outside of 1990 to 2100")
    return time.astimezone(UTC)


Time = Annotated[AwareDatetime, AfterValidator(_in_range)]
Text = Annotated[str, AfterValidator(clean)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Cursor = Annotated[str, Field(max_length=1000)]


class Shape(BaseModel):
    """Base of all shapes: what is not named is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def read_as(shape: type[S], value: object, where: str) -> S:
    """Check a value.

    Raises:
        Unsound: it is not of that shape; the message names the place, never the value.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = clean(".".join(str(p) for p in first["loc"]), 80)
        raise Unsound(f"{where}: {place or 'it'} is not as promised ({clean(first['msg'], 120)})") from None


def seconds(time: datetime | None) -> str | None:
    """A time as the tables hold it, in UTC."""
    return None if time is None else time.astimezone(UTC).isoformat(" ", "seconds")[:19]


def count_rows(totals: Mapping[str, float | None], day: date, definition: str) -> list[dict[str, Any]]:
    """Rows of ``counts`` for one day; what is not known has none."""
    return [
        {"day": day.isoformat(), "metric": metric, "value": value, "definition": definition}
        for metric, value in totals.items()
        if value is not None
    ]
