"""Base of the pydantic models that check responses of all sources, and the rows built from many of them.

Types, ranges and lengths are checked before anything is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from advisor.collect.http.messages import clean_text
from advisor.errors import Unsound

S = TypeVar("S", bound="Shape")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def _check_range(time: datetime) -> datetime:
    if not EARLIEST < time < _LATEST:
        raise ValueError("a time outside 1990 to 2100")
    return time.astimezone(UTC)


Time = Annotated[AwareDatetime, AfterValidator(_check_range)]
Text = Annotated[str, AfterValidator(clean_text)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Cursor = Annotated[str, Field(max_length=1000)]


class Shape(BaseModel):
    """Base of all shapes; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def read_as(shape: type[S], value: object, where: str) -> S:
    """Validate a value and return it as the shape.

    Raises:
        Unsound: the value has another shape; the message names the field, never the value.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = clean_text(".".join(str(p) for p in first["loc"]), 80)
        raise Unsound(
            f"{where}: unexpected value in {place or 'the response'} ({clean_text(first['msg'], 120)})"
        ) from None


def format_time(time: datetime | None) -> str | None:
    """Return a time in UTC, in the format of the fact tables."""
    return None if time is None else time.astimezone(UTC).isoformat(" ", "seconds")[:19]


def build_count_rows(totals: Mapping[str, float | None], day: date, definition: str) -> list[dict[str, Any]]:
    """Return the rows of ``counts`` for one day; an unknown total (None) gets no row."""
    return [
        {"day": day.isoformat(), "metric": metric, "value": value, "definition": definition}
        for metric, value in totals.items()
        if value is not None
    ]
