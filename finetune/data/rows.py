"""Read the rows of a user: five formats of answers, and two of preferences.

Each row may have another format. A row that matches no format, or that has a field with a meaning that
advisor does not know, becomes a `Misfit` with its place and the reason. The reader never guesses and never
drops a row or a field.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from finetune.data import preferences
from finetune.data.files import read_records
from finetune.data.turns import Message, RowError, check_fields, is_empty, parse_tools, parse_turns

AnswerFormat = Literal["alpaca", "chat", "sharegpt", "prompt-completion", "text"]
Format = AnswerFormat | preferences.PreferenceFormat
_COLUMNS = {
    "question": "instruction",
    "context": "input",
    "answer": "output",
    "response": "output",
    "system_prompt": "system",
}
_FIELDS = {
    "chat": ("messages", "tools", "system", "system_prompt"),
    "sharegpt": ("conversations", "tools", "system", "system_prompt"),
    "alpaca": ("instruction", "input", "output", "system", "history", "tools"),
    "prompt-completion": ("prompt", "completion", "tools", "system"),
    "text": ("text",),
}


@dataclass(frozen=True)
class Row:
    """A row in one of the formats.

    Attributes:
        place: line of the file (JSONL, CSV) or number of the record (JSON, Parquet, hub), from 1.
        format: the format of the row.
        messages: the turns; empty for plain text and for prompt and completion as strings.
        prompt_turns: how many of the turns are the prompt of a prompt-completion row or of a preference.
        tools: the tools of the chat, in OpenAI's form.
        prompt, completion: the strings of a prompt-completion row.
        text: the text of a plain text row.
        rejected: of a preference, the prompt with the rejected answer; the row itself has the chosen one.
        is_desirable: the label of an unpaired preference.
        score_gap: how much better the scores of a preference rate its chosen answer, if it has scores.
    """

    place: int
    format: Format
    messages: tuple[Message, ...] = ()
    prompt_turns: int = 0
    tools: tuple[dict[str, Any], ...] = ()
    prompt: str = ""
    completion: str = ""
    text: str = ""
    rejected: Row | None = None
    is_desirable: bool | None = None
    score_gap: float | None = None

    @property
    def question(self) -> str:
        """Everything before the last answer; equal questions stay on the same side."""
        if self.messages:
            tools = [json.dumps(tool, sort_keys=True, default=str) for tool in self.tools]
            turns = self.messages[: self.prompt_turns] if self.rejected else self.messages[:-1]
            return "\n".join([*tools, *(f"{m.role}: {m.text}" for m in turns)])
        return self.prompt or self.text

    @property
    def answer(self) -> str:
        """The last answer; of a preference, the whole chosen answer."""
        if self.rejected and self.messages:
            return "\n".join(message.text for message in self.messages[self.prompt_turns :])
        return self.messages[-1].text if self.messages else self.completion or self.text

    @property
    def sides(self) -> tuple[Row, ...]:
        """The row, and the one with the rejected answer if it is a preference."""
        return (self, self.rejected) if self.rejected else (self,)


@dataclass(frozen=True)
class Misfit:
    """A row that matches no format, and the reason."""

    place: int
    why: str


def read_rows(
    source: str, required_format: str = "auto", ignored_columns: Collection[str] = ()
) -> Iterator[Row | Misfit]:
    """Yield the rows of a file or a hub data set, in their order.

    Args:
        source: path of a file (see `read_records`), or a hub id (``owner/name``).
        required_format: the format that every row must have, or ``auto``.
        ignored_columns: names of fields of the rows to leave out.

    Raises:
        DataError: the source does not exist, or cannot be read.
    """
    for place, record in read_records(source):
        if isinstance(record, str):
            yield Misfit(place, record)
        else:
            yield parse_record(place, record, required_format, ignored_columns)


def parse_record(
    place: int, record: object, required_format: str = "auto", ignored_columns: Collection[str] = ()
) -> Row | Misfit:
    """Return a record as a row in one of the formats, or as a misfit."""
    if not isinstance(record, Mapping):
        return Misfit(place, f"is a {type(record).__name__}, not an object with fields")
    record = {field: value for field, value in record.items() if field not in ignored_columns}
    name = preferences.detect_preference(record)
    if name and required_format not in ("auto", name):
        return Misfit(place, f"has the format {name}, but data.format is {required_format}")
    if name:
        return _parse_pair(place, record) if name == "preference" else _parse_answer_with_label(place, record)
    return _parse_answers(place, record, required_format)


def _parse_pair(place: int, record: Mapping[str, Any]) -> Row | Misfit:
    """Return a preference: the row with the chosen answer, which has the one with the rejected answer."""
    try:
        sides = preferences.split_pair(record)
    except RowError as error:
        return Misfit(place, str(error))
    rows = [_parse_answers(place, side) for side in sides]
    for side, row in zip(preferences.PAIR, rows, strict=True):
        if isinstance(row, Misfit):
            return Misfit(place, f"({side}) {row.why}")
    chosen, rejected = (
        replace(row, format="preference", prompt_turns=_count_prompt_turns(row))
        for row in rows
        if isinstance(row, Row)
    )
    return replace(chosen, rejected=rejected, score_gap=preferences.read_score_gap(record))


def _parse_answer_with_label(place: int, record: Mapping[str, Any]) -> Row | Misfit:
    """Return an unpaired preference: a row with a label."""
    rest, label = preferences.remove_label(record)
    row = _parse_answers(place, rest)
    if isinstance(row, Misfit):
        return row
    return replace(
        row, format="unpaired-preference", is_desirable=label, prompt_turns=_count_prompt_turns(row)
    )


def _count_prompt_turns(row: Row) -> int:
    """Return the turns before the answer that a preference is about: the last one, or the completion."""
    return row.prompt_turns or max(0, len(row.messages) - 1)


def _parse_answers(place: int, record: Mapping[str, Any], required_format: str = "auto") -> Row | Misfit:
    columns = _rename_columns(record)
    name = _detect_format(record)
    if name is None and len(columns) == len(record):
        name = _detect_format(columns)
        record = columns if name else record
    if name is None:
        fields = ", ".join(sorted(map(str, record))) or "none"
        return Misfit(place, f"matches no format; its fields are: {fields}")
    if required_format not in ("auto", name):
        return Misfit(place, f"has the format {name}, but data.format is {required_format}")
    try:
        row = Row(place, name, **_PARSERS[name](record))
        texts = (row.prompt, row.completion, row.text, *(message.content for message in row.messages))
        check_fields(record, _FIELDS[name], texts, "delete it, or add its name to data.ignored_columns")
    except RowError as error:
        return Misfit(place, str(error))
    return row


def _rename_columns(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record of question and answer columns with the names of the alpaca format."""
    return {_COLUMNS.get(str(name), name): value for name, value in record.items()}


def _detect_format(record: Mapping[str, Any]) -> AnswerFormat | None:
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


def _parse_chat(record: Mapping[str, Any]) -> dict[str, Any]:
    return _add_context(parse_turns(record["messages"]), record)


def _parse_sharegpt(record: Mapping[str, Any]) -> dict[str, Any]:
    return _add_context(parse_turns(record["conversations"]), record)


def _add_context(
    turns: tuple[Message, ...], record: Mapping[str, Any], prompt_turns: int = 0
) -> dict[str, Any]:
    """Return the turns with the system text and the tools of the row."""
    if not any(turn.is_trained for turn in turns[prompt_turns:] if turn.role == "assistant"):
        raise RowError("has weight 0 for every answer: there is no answer to learn")
    systems = [record[name] for name in ("system", "system_prompt") if not is_empty(record.get(name))]
    for system in systems:
        if not isinstance(system, str):
            raise RowError(f"has system of type {type(system).__name__}, not text")
        if turns[0].role != "system":
            turns = (Message("system", system), *turns)
        elif turns[0].content != system:
            raise RowError("has a system text and a different system turn; delete one of them")
    return {"messages": turns, "tools": parse_tools(record.get("tools"))}


def _parse_alpaca(record: Mapping[str, Any]) -> dict[str, Any]:
    instruction, extra, output = record["instruction"], record.get("input") or "", record["output"]
    if not all(isinstance(part, str) for part in (instruction, extra, output)):
        raise RowError("instruction, input and output must be text")
    turns: list[Message] = []
    history = record.get("history") or []
    for pair in history if isinstance(history, list) else [history]:
        if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
            raise RowError("has a history that is not a list of pairs of question and answer")
        turns += [Message("user", pair[0]), Message("assistant", pair[1])]
    question = f"{instruction}\n\n{extra}" if extra else instruction
    return _add_context((*turns, Message("user", question), Message("assistant", output)), record)


def _parse_prompt_completion(record: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = record["prompt"], record["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        for name in ("tools", "system"):
            if not is_empty(record.get(name)):
                raise RowError(f"has {name}, but its prompt is text; write it as a list of messages")
        return {"prompt": prompt, "completion": completion}
    if not isinstance(prompt, list) or not isinstance(completion, list):
        raise RowError("prompt and completion must both be text, or both lists of messages")
    turns = parse_turns([*prompt, *completion])
    if not completion:
        raise RowError("has an empty completion")
    fields = _add_context(turns, record, len(prompt))
    return {**fields, "prompt_turns": len(fields["messages"]) - len(completion)}


def _parse_text(record: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(record["text"], str):
        raise RowError("text is not a string")
    return {"text": record["text"]}


_PARSERS = {
    "chat": _parse_chat,
    "sharegpt": _parse_sharegpt,
    "alpaca": _parse_alpaca,
    "prompt-completion": _parse_prompt_completion,
    "text": _parse_text,
}
