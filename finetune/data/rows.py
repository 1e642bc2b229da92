"""Rows as people write them: five formats in four kinds of file, told apart row by row.

What does not fit is a `Misfit` with its place and the reason; nothing is guessed and nothing dropped.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.errors import DataError

Format = Literal["alpaca", "chat", "sharegpt", "prompt-completion", "text"]
ROLES = ("system", "user", "assistant", "tool")
_SHAREGPT = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant"}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Message:
    """One turn: a role of `ROLES` and what it says."""

    role: str
    content: str


@dataclass(frozen=True)
class Row:
    """A row that fits.

    Attributes:
        place: line of the file (JSONL, CSV) or number of the record (JSON, Parquet, hub), from 1.
        format: the format that it was written in.
        messages: the turns; empty for plain text and for a prompt-completion of strings.
        prompt, completion: of a prompt-completion row of strings.
        text: of a plain text row.
    """

    place: int
    format: Format
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    completion: str = ""
    text: str = ""

    @property
    def question(self) -> str:
        """Everything up to the last answer: what makes two rows ask the same."""
        if self.messages:
            return "\n".join(f"{m.role}: {m.content}" for m in self.messages[:-1])
        return self.prompt or self.text

    @property
    def answer(self) -> str:
        """The last answer."""
        return self.messages[-1].content if self.messages else self.completion or self.text


@dataclass(frozen=True)
class Misfit:
    """A row that fits no format, and why."""

    place: int
    why: str


def read(source: str, wanted: str = "auto") -> Iterator[Row | Misfit]:
    """Rows of a file or a hub data set, in their order.

    Args:
        source: path of a .jsonl, .json, .csv or .parquet file, or a hub id (``owner/name``).
        wanted: the format that every row must have, or ``auto``.

    Raises:
        DataError: there is no such source, or it is not of a kind that can be read.
    """
    for place, record in _records(source):
        if isinstance(record, str):
            yield Misfit(place, record)
        else:
            yield parse(place, record, wanted)


def parse(place: int, record: object, wanted: str = "auto") -> Row | Misfit:
    """One record as a row of one of the five formats."""
    if not isinstance(record, Mapping):
        return Misfit(place, f"is a {type(record).__name__}, not an object with fields")
    found = _format_of(record)
    if found is None:
        fields = ", ".join(sorted(map(str, record))) or "none"
        return Misfit(place, f"fits no format; its fields are: {fields}")
    if wanted not in ("auto", found):
        return Misfit(place, f"is {found}, not {wanted} as data.format demands")
    made = _PARSERS[found](record)
    return Misfit(place, made) if isinstance(made, str) else Row(place, found, **made)


def _format_of(record: Mapping[str, Any]) -> Format | None:
    present = {k for k, v in record.items() if v is not None}
    if "messages" in present:
        return "chat"
    if "conversations" in present:
        return "sharegpt"
    if {"prompt", "completion"} <= present:
        return "prompt-completion"
    if {"instruction", "output"} <= present:
        return "alpaca"
    return "text" if "text" in present else None


def _turns(value: object, role_key: str, content_key: str) -> tuple[Message, ...] | str:
    if not isinstance(value, list) or not value:
        return "has no list of turns"
    turns = []
    for n, turn in enumerate(value, 1):
        if not isinstance(turn, Mapping) or role_key not in turn or content_key not in turn:
            return f"turn {n} lacks {role_key!r} or {content_key!r}"
        role, content = turn[role_key], turn[content_key]
        role = _SHAREGPT.get(str(role), role)
        if role not in ROLES:
            return f"turn {n} has the role {role!r}; known: {', '.join(ROLES)}"
        if not isinstance(content, str):
            return f"turn {n} has content of type {type(content).__name__}, not text"
        turns.append(Message(role, content))
    if turns[-1].role != "assistant":
        return f"ends with the role {turns[-1].role}, so there is no answer to learn"
    return tuple(turns)


def _chat(record: Mapping[str, Any]) -> dict[str, Any] | str:
    turns = _turns(record["messages"], "role", "content")
    return turns if isinstance(turns, str) else {"messages": turns}


def _sharegpt(record: Mapping[str, Any]) -> dict[str, Any] | str:
    turns = _turns(record["conversations"], "from", "value")
    if isinstance(turns, str):
        return turns
    system = record.get("system")
    if isinstance(system, str) and system and turns[0].role != "system":
        turns = (Message("system", system), *turns)
    return {"messages": turns}


def _alpaca(record: Mapping[str, Any]) -> dict[str, Any] | str:
    instruction, extra, output = record["instruction"], record.get("input") or "", record["output"]
    if not all(isinstance(part, str) for part in (instruction, extra, output)):
        return "instruction, input and output must be text"
    asked = f"{instruction}\n\n{extra}" if extra else instruction
    return {"messages": (Message("user", asked), Message("assistant", output))}


def _prompt_completion(record: Mapping[str, Any]) -> dict[str, Any] | str:
    prompt, completion = record["prompt"], record["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return {"prompt": prompt, "completion": completion}
    if isinstance(prompt, list) and isinstance(completion, list):
        turns = _turns([*prompt, *completion], "role", "content")
        return turns if isinstance(turns, str) else {"messages": turns}
    return "prompt and completion must both be text, or both lists of messages"


def _text(record: Mapping[str, Any]) -> dict[str, Any] | str:
    return {"text": record["text"]} if isinstance(record["text"], str) else "text is not text"


_PARSERS = {
    "chat": _chat,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt-completion": _prompt_completion,
    "text": _text,
}


def _records(source: str) -> Iterator[tuple[int, Any]]:
    """Place and record; a string in place of a record is the reason why it could not be read."""
    path = Path(source).expanduser()
    if path.is_file():
        readers = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
        if path.suffix.lower() not in readers:
            raise DataError(f"{source}: unknown kind of file; known: {', '.join(readers)}")
        yield from readers[path.suffix.lower()](path)
    elif path.exists():
        raise DataError(f"{source} is a folder; give one of its files")
    elif _HUB_ID.fullmatch(source) and not path.suffix:
        yield from _hub(source)
    else:
        raise DataError(f"there is no data file {source}")


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as lines:
        for place, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield place, json.loads(line)
            except json.JSONDecodeError as error:
                yield place, f"is not JSON: {error.msg} at column {error.colno}"
            except UnicodeDecodeError:
                yield place, "is not UTF-8"
            except (ValueError, RecursionError) as error:
                yield place, f"is not JSON: {error}"


def _json(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        whole = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(whole, list):
        raise DataError(f"{path} holds no list of rows at its top")
    yield from enumerate(whole, 1)


def _csv(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        try:
            for record in reader:
                if None in record or None in record.values():
                    yield reader.line_num, "has another number of cells than the header"
                else:
                    yield reader.line_num, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} after line {reader.line_num}: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            place = 0
            for batch in file.iter_batches():
                for record in batch.to_pylist():
                    place += 1
                    yield place, record
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not Parquet: {error}") from None


def _hub(name: str) -> Iterator[tuple[int, Any]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(name, split="train")
    except Exception as error:  # noqa: BLE001 - the hub's client raises whatever its transport does
        raise DataError(
            f"{name} is neither a file here nor a data set that the hub gives: {str(error).splitlines()[0]}"
        ) from None
    yield from enumerate(rows, 1)
