"""Read the rows of a user: five formats in four kinds of file.

Each row may have another format. A row that matches no format becomes a `Misfit` with its place and the
reason. The reader never guesses and never drops a row.
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
    """One turn: a role of `ROLES` and its text."""

    role: str
    content: str


@dataclass(frozen=True)
class Row:
    """A row in one of the five formats.

    Attributes:
        place: line of the file (JSONL, CSV) or number of the record (JSON, Parquet, hub), from 1.
        format: the format of the row.
        messages: the turns; empty for plain text and for prompt and completion as strings.
        prompt, completion: the strings of a prompt-completion row.
        text: the text of a plain text row.
    """

    place: int
    format: Format
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    completion: str = ""
    text: str = ""

    @property
    def question(self) -> str:
        """Everything before the last answer; equal questions stay on the same side."""
        if self.messages:
            return "\n".join(f"{m.role}: {m.content}" for m in self.messages[:-1])
        return self.prompt or self.text

    @property
    def answer(self) -> str:
        """The last answer."""
        return self.messages[-1].content if self.messages else self.completion or self.text


@dataclass(frozen=True)
class Misfit:
    """A row that matches no format, and the reason."""

    place: int
    why: str


def read_rows(source: str, required_format: str = "auto") -> Iterator[Row | Misfit]:
    """Yield the rows of a file or a hub data set, in their order.

    Args:
        source: path of a .jsonl, .json, .csv or .parquet file, or a hub id (``owner/name``).
        required_format: the format that every row must have, or ``auto``.

    Raises:
        DataError: the source does not exist, or cannot be read.
    """
    for place, record in _read_records(source):
        if isinstance(record, str):
            yield Misfit(place, record)
        else:
            yield parse_record(place, record, required_format)


def parse_record(place: int, record: object, required_format: str = "auto") -> Row | Misfit:
    """Return a record as a row in one of the five formats, or as a misfit."""
    if not isinstance(record, Mapping):
        return Misfit(place, f"is a {type(record).__name__}, not an object with fields")
    name = _detect_format(record)
    if name is None:
        fields = ", ".join(sorted(map(str, record))) or "none"
        return Misfit(place, f"matches no format; its fields are: {fields}")
    if required_format not in ("auto", name):
        return Misfit(place, f"has the format {name}, but data.format is {required_format}")
    fields_or_reason = _PARSERS[name](record)
    if isinstance(fields_or_reason, str):
        return Misfit(place, fields_or_reason)
    return Row(place, name, **fields_or_reason)


def _detect_format(record: Mapping[str, Any]) -> Format | None:
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


def _parse_turns(value: object, role_key: str, content_key: str) -> tuple[Message, ...] | str:
    if not isinstance(value, list) or not value:
        return "has no list of turns"
    turns = []
    for n, turn in enumerate(value, 1):
        if not isinstance(turn, Mapping) or role_key not in turn or content_key not in turn:
            return f"turn {n} has no {role_key!r} or no {content_key!r}"
        role, content = turn[role_key], turn[content_key]
        role = _SHAREGPT.get(str(role), role)
        if role not in ROLES:
            return f"turn {n} has the unknown role {role!r}; known roles: {', '.join(ROLES)}"
        if not isinstance(content, str):
            return f"turn {n} has content of type {type(content).__name__}, not text"
        turns.append(Message(role, content))
    if turns[-1].role != "assistant":
        return f"ends with the role {turns[-1].role}: there is no answer to learn"
    return tuple(turns)


def _parse_chat(record: Mapping[str, Any]) -> dict[str, Any] | str:
    turns = _parse_turns(record["messages"], "role", "content")
    return turns if isinstance(turns, str) else {"messages": turns}


def _parse_sharegpt(record: Mapping[str, Any]) -> dict[str, Any] | str:
    turns = _parse_turns(record["conversations"], "from", "value")
    if isinstance(turns, str):
        return turns
    system = record.get("system")
    if isinstance(system, str) and system and turns[0].role != "system":
        turns = (Message("system", system), *turns)
    return {"messages": turns}


def _parse_alpaca(record: Mapping[str, Any]) -> dict[str, Any] | str:
    instruction, extra, output = record["instruction"], record.get("input") or "", record["output"]
    if not all(isinstance(part, str) for part in (instruction, extra, output)):
        return "instruction, input and output must be text"
    question = f"{instruction}\n\n{extra}" if extra else instruction
    return {"messages": (Message("user", question), Message("assistant", output))}


def _parse_prompt_completion(record: Mapping[str, Any]) -> dict[str, Any] | str:
    prompt, completion = record["prompt"], record["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return {"prompt": prompt, "completion": completion}
    if isinstance(prompt, list) and isinstance(completion, list):
        turns = _parse_turns([*prompt, *completion], "role", "content")
        return turns if isinstance(turns, str) else {"messages": turns}
    return "prompt and completion must both be text, or both lists of messages"


def _parse_text(record: Mapping[str, Any]) -> dict[str, Any] | str:
    return {"text": record["text"]} if isinstance(record["text"], str) else "text is not a string"


_PARSERS = {
    "chat": _parse_chat,
    "sharegpt": _parse_sharegpt,
    "alpaca": _parse_alpaca,
    "prompt-completion": _parse_prompt_completion,
    "text": _parse_text,
}


def _read_records(source: str) -> Iterator[tuple[int, Any]]:
    """Yield place and record, or place and the reason (a string) of a read error."""
    path = Path(source).expanduser()
    if path.is_file():
        readers = {".jsonl": _read_jsonl, ".json": _read_json, ".csv": _read_csv, ".parquet": _read_parquet}
        if path.suffix.lower() not in readers:
            raise DataError(f"{source} has an unknown file type; known types: {', '.join(readers)}")
        yield from readers[path.suffix.lower()](path)
    elif path.exists():
        raise DataError(f"{source} is a folder; choose one of its files")
    elif _HUB_ID.fullmatch(source) and not path.suffix:
        yield from _read_hub(source)
    else:
        raise DataError(f"data file {source} does not exist")


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as lines:
        for place, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield place, json.loads(line)
            except json.JSONDecodeError as error:
                yield place, f"is not valid JSON: {error.msg} at column {error.colno}"
            except UnicodeDecodeError:
                yield place, "is not UTF-8"
            except (ValueError, RecursionError) as error:
                yield place, f"is not valid JSON: {error}"


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        records = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(records, list):
        raise DataError(f"{path} is not a list of rows; expected a JSON array")
    yield from enumerate(records, 1)


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        try:
            for record in reader:
                if None in record or None in record.values():
                    yield reader.line_num, "has more or fewer cells than the header"
                else:
                    yield reader.line_num, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path} after line {reader.line_num}: {error}") from None


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
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
        raise DataError(f"{path} is not valid Parquet: {error}") from None


def _read_hub(name: str) -> Iterator[tuple[int, Any]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(name, split="train")
    except Exception as error:  # noqa: BLE001 - the hub's client raises any error of its transport
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"{name} is not a local file, and the hub does not provide it as a data set: {first_line}"
        ) from None
    yield from enumerate(rows, 1)
