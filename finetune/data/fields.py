"""Find what a chat template does not render: tools, tool calls, thoughts, texts of turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from finetune.data.rendering import ChatRefusal
from finetune.data.turns import THOUGHTS

if TYPE_CHECKING:
    from finetune.data.turns import Message

Turns = list[dict[str, Any]]


def list_forms(messages: Sequence[Message]) -> Iterator[Turns]:
    """Yield the turns in the forms that chat templates expect, the most frequent form first.

    Some templates want the arguments of a tool call as an object, and some as JSON text. Each has its own
    name for a thought.
    """
    fields = {name for message in messages for name in message.fields}
    thoughts = fields.intersection(THOUGHTS)
    other_names = [name for name in THOUGHTS if thoughts and {name} != thoughts]
    for name in (None, *other_names):
        for is_text in (False, True) if "tool_calls" in fields else (False,):
            yield [_write_turn(m, name, is_text=is_text) for m in messages]


def _write_turn(message: Message, thought_name: str | None, *, is_text: bool) -> dict[str, Any]:
    """Return a turn for a template; ``thought_name`` is another name for its thought."""
    fields = {
        thought_name if thought_name and name in THOUGHTS else name: value
        for name, value in message.fields.items()
    }
    turn = {"role": message.role, "content": message.content, **fields}
    if is_text and "tool_calls" in turn:
        turn["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _to_json(call["function"]["arguments"])}}
            for call in turn["tool_calls"]
        ]
    return turn


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def find_lost_field(
    turns: Turns, tools: Sequence[dict[str, Any]], text: str, render: Callable[..., str]
) -> str | None:
    """Return the first thing that the template does not render.

    A field is rendered if the text changes without it, a content if the text changes with another content.
    ``text`` is the chat as the template renders it, ``render`` renders turns and ``tools``.
    """
    for n in range(len(tools)):
        if not _changes(text, render, turns, [*tools[:n], *tools[n + 1 :]]):
            return "the tools of the row"
    for n, turn in enumerate(turns):
        for name, smaller_turn in _remove_fields(turn, text):
            if not _changes(text, render, [*turns[:n], smaller_turn, *turns[n + 1 :]], tools):
                return f"{name} of turn {n + 1}"
        for call in turn.get("tool_calls", ()):
            arguments = call["function"]["arguments"]
            if (
                isinstance(arguments, dict)
                and str(arguments) in text
                and str(arguments) != _to_json(arguments)
            ):
                return f"the arguments of the tool call of turn {n + 1} as JSON"
    return None


def _remove_fields(turn: dict[str, Any], text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields whose loss must be visible, each with the turn without it, or with another content."""
    calls = turn.get("tool_calls", [])
    for n in range(len(calls)):
        other_calls = [*calls[:n], *calls[n + 1 :]]
        without = {name: value for name, value in turn.items() if name != "tool_calls"}
        yield "tool_calls", {**without, **({"tool_calls": other_calls} if other_calls else {})}
    for name in (*THOUGHTS, *(["name"] if turn["role"] != "tool" else [])):
        if name in turn:
            yield name, {key: value for key, value in turn.items() if key != name}
    content = turn["content"].strip()
    # Templates write the thought of a content (`<think>…</think>`) with other white space.
    is_in_text = content in text or _remove_spaces(content) in _remove_spaces(text)
    if content and (calls or not is_in_text):
        yield "the content", {**turn, "content": f"{content} {content}"}


def _remove_spaces(text: str) -> str:
    return "".join(text.split())


def _changes(text: str, render: Callable[..., str], turns: Turns, tools: Sequence[dict[str, Any]]) -> bool:
    try:
        return render(turns, tools=tools) != text
    except ChatRefusal:
        return True
