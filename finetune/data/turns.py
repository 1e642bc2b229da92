"""Read the turns of a chat and the tools that it offers, in the forms of OpenAI and of ShareGPT.

A field that advisor cannot render is a reason to refuse the row; none is dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

ROLES = ("system", "user", "assistant", "tool")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_ROLE_NAMES = {
    "developer": "system",
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "ai": "assistant",  # LangChain
    "model": "assistant",  # Gemini
    "function_call": "assistant",
    "tool_call": "assistant",
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "function": "tool",  # OpenAI, before tools
}
_WEIGHTS = ("weight", "train", "trainable")
_TOOL_FIELDS = ("name", "tool_call_id")
# Fields that say where a row comes from. They are no part of what a model reads or writes.
_LABELS = (
    *("id", "idx", "index", "uuid", "hash", "source", "origin", "dataset", "split", "subset", "category"),
    *("topic", "tags", "language", "lang", "license", "author", "url", "timestamp", "date", "created"),
    *("version", "model", "generator", "meta", "metadata"),
)
_REWARD = "advisor trains no reward model; for rewards use `trl reward`"
_PAIR = "a preference needs 'chosen' and 'rejected', and method.objective = 'dpo'"
_LABEL = (
    "the label of a preference is true or false beside a prompt and its answer (method.objective = 'kto')"
)
_TEXT_ONLY = "advisor trains on text only; delete the row, or use a tool for vision or audio"
_OTHER_TASKS = {
    **dict.fromkeys(("chosen", "rejected", "score_chosen", "score_rejected"), _PAIR),
    **dict.fromkeys(("label", "kto_tag"), _LABEL),
    "reward": _REWARD,
    **dict.fromkeys(("image", "images", "video", "videos", "audio", "audios"), _TEXT_ONLY),
}
_LABEL_ENDINGS = ("_id", "_idx", "_hash")


class RowError(ValueError):
    """A row that cannot be used; the message is the reason."""


@dataclass(frozen=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: one of `ROLES`.
        content: its text; empty for a turn that only calls tools.
        fields: what the chat template receives besides: tool calls, thoughts, name of the tool.
        is_trained: False if the row excludes this turn (weight 0) or the turn is part of a prompt.
    """

    role: str
    content: str
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    is_trained: bool = True

    @property
    def text(self) -> str:
        """The content, and the other fields as JSON."""
        return self.content + (json.dumps(self.fields, sort_keys=True, default=str) if self.fields else "")


def check_fields(
    record: Mapping[str, Any],
    known: Collection[str],
    texts: Collection[str] = (),
    remedy: str = "delete it",
) -> None:
    """Check that no field of a row or of a turn would be lost.

    Args:
        record: the row or the turn.
        known: the fields that advisor reads.
        texts: the texts of the row; a field that repeats one of them is not lost.
        remedy: what the message advises.

    Raises:
        RowError: a field has a value, is not known, and is not a label such as an id.
    """
    for name, value in record.items():
        lower_name = str(name).lower()
        is_label = lower_name in _LABELS or lower_name.endswith(_LABEL_ENDINGS)
        if name not in known and not is_label and not is_empty(value) and value not in texts:
            why = _OTHER_TASKS.get(lower_name)
            raise RowError(
                f"has the field {name!r}: {why}"
                if why
                else f"has the field {name!r}, which advisor does not know; {remedy}"
            )


def is_empty(value: object) -> bool:
    """Return whether a value is null, or an empty text, list or object."""
    return value is None or (isinstance(value, str | list | Mapping) and not value)


def parse_turns(value: object) -> tuple[Message, ...]:
    """Return the turns of a chat.

    Raises:
        RowError: a turn cannot be read, or the chat does not end with an answer.
    """
    value = _parse_json(value)  # a cell of CSV or Parquet has the list as a text
    if not isinstance(value, list) or not value:
        raise RowError("has no list of turns")
    turns = []
    for n, turn in enumerate(value, 1):
        try:
            turns.append(_parse_turn(turn))
        except RowError as error:
            raise RowError(f"turn {n} {error}") from None
    if turns[-1].role != "assistant":
        raise RowError(f"ends with the role {turns[-1].role}: there is no answer to learn")
    return tuple(turns)


def _parse_turn(turn: object) -> Message:
    if not isinstance(turn, Mapping):
        raise RowError(f"has no 'role': it is a {type(turn).__name__}")
    role_key = "from" if "from" in turn else "role"
    is_content = "content" in turn or (role_key == "role" and "value" not in turn)
    content_key = "content" if is_content else "value"
    if role_key not in turn:
        raise RowError("has no 'role'")
    given_role, content = turn[role_key], turn.get(content_key)
    lower_role = str(given_role).lower()
    role = _ROLE_NAMES.get(lower_role, lower_role if lower_role in ROLES else given_role)
    if role not in ROLES:
        raise RowError(f"has the unknown role {role!r}; known roles: {', '.join(ROLES)}")
    if not is_empty(turn.get("function_call")) and is_empty(turn.get("tool_calls")):  # OpenAI, before tools
        turn = {**turn, "tool_calls": [turn["function_call"]], "function_call": None}
    check_fields(turn, (role_key, content_key, "tool_calls", *THOUGHTS, *_WEIGHTS, *_TOOL_FIELDS))
    if lower_role in ("function_call", "tool_call"):
        turn, content = {**turn, "tool_calls": content}, None
    fields = _read_fields(turn, role)
    if "tool_calls" in fields and content is None:
        content = ""
    elif content_key not in turn:
        raise RowError(f"has no {content_key!r}")
    return Message(role, _join_parts(content), fields, _read_weight(turn, role))


def _read_fields(turn: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Return the fields of a turn that the chat template receives besides role and content."""
    fields = {name: turn[name] for name in (*_TOOL_FIELDS, *THOUGHTS) if not is_empty(turn.get(name))}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise RowError(f"has {name!r} of type {type(value).__name__}, not text")
        if name in THOUGHTS and role != "assistant":
            raise RowError(f"has {name!r}, but is not an assistant turn")
    if not is_empty(turn.get("tool_calls")):
        if role != "assistant":
            raise RowError("has tool calls, but is not an assistant turn")
        fields["tool_calls"] = _parse_functions(turn["tool_calls"], "tool call", "arguments")
    return fields


def _join_parts(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content or not all(isinstance(p, Mapping) for p in content):
        raise RowError(f"has content of type {type(content).__name__}, not text")
    for part in content:
        if part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise RowError(f"has a part of the type {part.get('type')!r}: advisor trains on text only")
        check_fields(part, ("type", "text"))
    return "".join(part["text"] for part in content)


def _read_weight(turn: Mapping[str, Any], role: str) -> bool:
    """Return whether the row wants the turn to be trained."""
    weights = {name: turn[name] for name in _WEIGHTS if turn.get(name) is not None}
    for name, weight in weights.items():
        if weight not in (0, 1):
            raise RowError(f"has {name!r} = {weight!r}: expected 0 (not trained) or 1")
        if weight and role != "assistant":
            raise RowError(f"has {name!r} = {weight!r}: advisor trains only assistant turns")
    return all(weights.values())


def parse_tools(value: object) -> tuple[dict[str, Any], ...]:
    """Return the tools of a row in OpenAI's form.

    Raises:
        RowError: they cannot be read.
    """
    return () if is_empty(value) else tuple(_parse_functions(value, "tool", "parameters"))


def _parse_functions(value: object, kind: str, schema: str) -> list[dict[str, Any]]:
    """Return tools or tool calls as ``{"type": "function", "function": {...}}``."""
    value = _parse_json(value)
    functions: list[dict[str, Any]] = []
    for n, item in enumerate(value if isinstance(value, list) else [value], 1):
        function = item.get("function", item) if isinstance(item, Mapping) else item
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise RowError(f"has a {kind} (number {n}) without the name of a function")
        details = _parse_json(function.get(schema))
        if not isinstance(details, Mapping | None):
            raise RowError(f"has a {kind} (number {n}) with {schema} that are not a JSON object")
        if details is not None or kind == "tool call":
            function = {**function, schema: dict(details or {})}
        outer = item if "function" in item else {}
        functions.append({"type": "function", **outer, "function": dict(function)})
    return functions


def _parse_json(value: object) -> Any:
    """Return the value of a JSON text; a value that is no JSON text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError):
        return value
