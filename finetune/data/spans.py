"""Find the trained parts of a rendered chat: the answers, each with its stop token.

A template with {% generation %} blocks shows them. Of another template advisor renders the chat up to each
answer: the answer is what comes after that. White space after an answer is not trained: the model ends its
turn with the stop token and never writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune.data import rendering
from finetune.data.training_template import has_marks
from finetune.data.turns import RowError

if TYPE_CHECKING:
    from finetune.data.rendering import Rendering

Span = tuple[int, int]


@dataclass(frozen=True)
class Chat:
    """A chat as its template receives it.

    Attributes:
        turns, tools: the input of the template.
        template: the text of the template.
        rendering: its whole text, and the spans of its blocks.
        trained: the numbers of the trained turns, from 0.
    """

    turns: list[dict[str, Any]]
    tools: Sequence[dict[str, Any]]
    template: str
    rendering: Rendering
    trained: Collection[int]

    @property
    def text(self) -> str:
        """The whole text."""
        return self.rendering.text


def find_trained_spans(chat: Chat, tokenizer: Any) -> list[Span]:
    """Return the character spans of the trained turns, in their order.

    Raises:
        RowError: the template does not show where an answer starts.
        ChatRefusal: the template refuses the chat up to an answer.
    """
    if has_marks(chat.template):
        blocks = _select_blocks(chat, tokenizer)
        return [(start, _strip_end(chat.text, start, end)) for start, end in _join(blocks)]
    return [_find_turn(chat, n, tokenizer) for n in sorted(chat.trained)]


def _find_turn(chat: Chat, n: int, tokenizer: Any) -> Span:
    """Return the span of an answer: what the chat up to it has more than the chat before it."""
    start = _find_start(chat, n, tokenizer) if n else 0
    until = _render_turns(chat, n + 1, tokenizer).text.rstrip()
    if start is None or not chat.text.startswith(until):
        raise RowError(
            f"turn {n + 1}: the template renders earlier turns differently in a longer chat, so the "
            "trained tokens are unknown; set data.template to a template with {% generation %}"
        )
    return start, max(start, len(until))


def _find_start(chat: Chat, n: int, tokenizer: Any) -> int | None:
    """Return where an answer starts: after the prompt for it, or where the chat is no longer that prompt.

    Some templates end the prompt with text that the chat does not have, such as the start of a thought.
    """
    prompt = _render_turns(chat, n, tokenizer, prompt=True).text
    if not chat.text.startswith(prompt) and not chat.text.startswith(_render_turns(chat, n, tokenizer).text):
        return None
    differences = (n for n, (a, b) in enumerate(zip(prompt, chat.text, strict=False)) if a != b)
    return next(differences, min(len(prompt), len(chat.text)))


def _strip_end(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())


def _select_blocks(chat: Chat, tokenizer: Any) -> Sequence[Span]:
    """Return the blocks of the trained turns; a turn can have several."""
    blocks = chat.rendering.spans
    answers = [n for n, turn in enumerate(chat.turns) if turn["role"] == "assistant"]
    if set(answers) == set(chat.trained):
        return blocks
    texts = [chat.text[start:end] for start, end in blocks]
    selected_blocks: list[Span] = []
    first = 0
    for n in answers:
        until = _render_turns(chat, n + 1, tokenizer, with_spans=True)
        last = len(until.spans)
        if [until.text[start:end] for start, end in until.spans] != texts[:last]:
            raise RowError(f"turn {n + 1}: the template renders it differently in a longer chat")
        selected_blocks += blocks[first:last] if n in chat.trained else ()
        first = last
    return selected_blocks


def _render_turns(
    chat: Chat, count: int, tokenizer: Any, *, prompt: bool = False, with_spans: bool = False
) -> Rendering:
    return rendering.render(
        tokenizer,
        chat.turns[:count],
        tools=chat.tools,
        prompt=prompt,
        with_spans=with_spans,
        template=chat.template,
    )


def _join(blocks: Sequence[Span]) -> list[Span]:
    """Return the blocks; those that touch each other are one."""
    spans: list[Span] = []
    for start, end in blocks:
        if spans and spans[-1][1] >= start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
