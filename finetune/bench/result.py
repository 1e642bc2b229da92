"""Read the result file of a bench, which may come from a stranger."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from advisor.errors import InputError
from finetune.bench.figures import RunFigures
from finetune.bench.run import Bench

_Positive = Annotated[int, Field(ge=0, le=10**18)]
_Setting = str | int | float | bool | list[Any] | None


def _check_time(text: str) -> str:
    if not 1000 <= datetime.fromisoformat(text).year <= 9000:
        raise ValueError("expected a time between the years 1000 and 9000")
    return text


class _Gpu(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    name: str


class _Machine(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    processor: str
    cores: _Positive
    memory_bytes: _Positive
    gpus: tuple[_Gpu, ...]


class _Result(BaseModel):
    """The values of `Bench.as_dict`; others, such as the command line, are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    runs: Annotated[tuple[RunFigures, ...], Field(max_length=10_000)]
    noise_floor: Annotated[float, Field(ge=0, le=1e18)] | None
    settings: dict[str, _Setting]
    machine: _Machine
    date: Annotated[str, AfterValidator(_check_time)]


def parse_result(data: bytes) -> Bench:
    """Return the bench of a result file.

    Raises:
        InputError: the bytes are not a result; the message names the value that is wrong.
    """
    try:
        result = _Result.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(ascii(str(part))[1:-1] for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{place}: {message}" if place else first["msg"]) from None
    for number, run in enumerate(result.runs):
        if not run.reason and not run.tokens_per_second:
            raise InputError(f"runs.{number}.tokens_per_second: expected a speed above 0, or a reason")
    return Bench(
        result.runs, result.noise_floor, result.settings, result.machine.model_dump(mode="json"), result.date
    )
