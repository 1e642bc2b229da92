"""Render and tokenise rows, and choose the trained tokens, for all stacks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.data import rendering
from finetune.data.fields import find_lost_field, list_forms
from finetune.data.rendering import ChatRefusal
from finetune.data.rows import Misfit, Row
from finetune.data.turns import RowError
from finetune.errors import DataError, ModelError
from finetune.runners.emit import IGNORE_INDEX
from finetune.weights.base import find_folder
from finetune.weights.json_files import read_object

if TYPE_CHECKING:
    from finetune.sections import Data

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_PREFETCHED_CHARACTERS = 2**22
_REASON_CHARACTERS = 300
_TOKENIZER_FILES = (
    *("tokenizer_config.json", "config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    "tokenizer.json",
)
ALPACA = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'] + '\n\n' }}"
    "{% else %}{{ '### Response:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)


@dataclass(frozen=True)
class EncodedRow:
    """A row as tokens.

    Attributes:
        input_ids: token ids, before truncation.
        labels: the same ids for trained tokens, -100 for the others.
    """

    input_ids: list[int]
    labels: list[int]

    @property
    def trained_tokens(self) -> int:
        """The number of trained tokens."""
        return sum(label != IGNORE_INDEX for label in self.labels)


def load_tokenizer(base: str, revision: str | None = None, *, trust_remote_code: bool = False) -> Any:
    """Return the tokenizer of a base model.

    Raises:
        ModelError: the model does not exist, or has no usable (fast) tokenizer.
    """
    from transformers import AutoTokenizer

    folder = find_folder(base)
    if folder is not None:
        names = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")
        if not any((folder / name).is_file() for name in names):
            raise ModelError(
                f"{base} has no tokenizer (none of {', '.join(names)}); copy the tokenizer files of its "
                "original model into this folder"
            )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder or base), revision=revision, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # noqa: BLE001 - the hub's client and broken files raise many types
        reason = _shorten(error)
        if folder is not None:
            reason = _find_wrong_file(folder, trust_remote_code=trust_remote_code) or reason
        raise ModelError(f"cannot load the tokenizer of {base}: {reason}") from None
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {base} is not a fast tokenizer: without character offsets advisor cannot tell "
            "the trained tokens from the others"
        )
    if not isinstance(getattr(tokenizer, "chat_template", None), str | dict | None):
        kind = type(tokenizer.chat_template).__name__
        raise ModelError(f"the chat_template in tokenizer_config.json of {base} is a {kind}, not text")
    return tokenizer


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:_REASON_CHARACTERS] or type(error).__name__


def _find_wrong_file(folder: Path, *, trust_remote_code: bool) -> str:
    """Return which file of a tokenizer is not what it should be, and why; empty if none is."""
    paths = [folder / name for name in _TOKENIZER_FILES]
    paths += [folder / "chat_template.jinja", *(folder / "additional_chat_templates").glob("*.jinja")]
    for path in paths:
        try:
            if path.suffix == ".json":
                read_object(path)
            else:
                path.read_text("utf-8")
        except FileNotFoundError:
            continue
        except UnicodeDecodeError as error:
            return f"{path} is not UTF-8: {error.reason}"
        except OSError as error:
            return f"cannot read {path}: {error.strerror}"
        except ModelError as error:
            return str(error)
    return _find_wrong_values(folder, trust_remote_code=trust_remote_code)


def _find_wrong_values(folder: Path, *, trust_remote_code: bool) -> str:
    from transformers import AutoConfig, PreTrainedTokenizerFast

    try:
        AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # noqa: BLE001 - broken files raise many types
        return f"{folder / 'config.json'}: {_shorten(error)}"
    if (folder / "tokenizer.json").is_file():
        try:
            PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        except Exception as error:  # noqa: BLE001 - tokenizers raises Exception itself
            return f"{folder / 'tokenizer.json'}: {_shorten(error)}"
    return ""


def set_template(tokenizer: Any, name: str) -> Any:
    """Set the chat template of the run on the tokenizer and return the tokenizer.

    Raises:
        DataError: the template file does not exist, or is not a usable Jinja template.
    """
    if name == "auto":
        return tokenizer
    templates = {"chatml": CHATML, "alpaca": ALPACA}
    if name in templates:
        tokenizer.chat_template = templates[name]
        return tokenizer
    path = Path(name).expanduser()
    if not path.is_file():
        raise DataError(
            f"invalid data.template {name!r}: expected auto, chatml, alpaca or the path of a Jinja file"
        )
    try:
        tokenizer.chat_template = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"data.template {name} is not UTF-8: {error.reason}") from None
    except OSError as error:
        raise DataError(f"cannot read data.template {name}: {error.strerror}") from None
    setattr(tokenizer, rendering.TEMPLATE_SOURCE, name)
    _check_template(tokenizer, name)
    return tokenizer


def _check_template(tokenizer: Any, name: str) -> None:
    turns = [{"role": "user", "content": "Question?"}, {"role": "assistant", "content": "Answer 4711."}]
    try:
        text = render_chat(turns, tokenizer)
    except ChatRefusal as error:
        raise DataError(f"data.template {name} cannot render a chat: {error}") from None
    if "Question?" not in text or "Answer 4711." not in text:
        raise DataError(f"data.template {name} drops the text of the turns; it rendered {text[:80]!r}")


def encode_row(row: Row, tokenizer: Any, data: Data) -> EncodedRow | str:
    """Return a row as tokens before truncation, or the reason why that is impossible.

    Chat: the trained span of an assistant turn starts where the generation prompt ends and stops after
    the turn's stop token. White space that the template adds after it is not trained, nor are the
    assistant turns of a prompt and those with weight 0. Text: all tokens are trained. Prompt and
    completion as strings: the completion is trained. Text and completion end in EOS.
    """
    everything = data.loss_on == "everything"
    try:
        if row.messages:
            return _encode_chat(row, tokenizer, everything=everything)
        return _encode_text(row, tokenizer, everything=everything)
    except RowError as error:
        return str(error)


def _encode_text(row: Row, tokenizer: Any, *, everything: bool) -> EncodedRow:
    if tokenizer.eos_token_id is None:
        raise RowError(
            "is text, but the tokenizer has no EOS token to end it; set eos_token in the model's "
            "tokenizer_config.json, or write the row as a chat"
        )
    if row.format == "text":
        if not row.text.strip():
            raise RowError("has an empty text")
        ids = [*_tokenise(tokenizer, row.text), tokenizer.eos_token_id]
        return EncodedRow(ids, list(ids))
    if not row.completion.strip():
        raise RowError("has an empty completion")
    prompt = _tokenise(tokenizer, row.prompt)
    whole = tokenizer(row.prompt + row.completion, return_offsets_mapping=True)
    ids = [*whole["input_ids"], tokenizer.eos_token_id]
    if whole["input_ids"] and whole["input_ids"][-1] == tokenizer.eos_token_id:
        ids.pop()
    if everything:
        return EncodedRow(ids, list(ids))
    start = len(row.prompt)
    first = next((i for i, (a, b) in enumerate(whole["offset_mapping"]) if b > start and b > a), len(prompt))
    return EncodedRow(ids, [IGNORE_INDEX] * first + ids[first:])


def _tokenise(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text)["input_ids"]
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def render_chat(
    turns: list[dict[str, Any]], tokenizer: Any, *, prompt: bool = False, tools: Sequence[dict[str, Any]] = ()
) -> str:
    """Return the rendered turns, with the start of an answer if ``prompt``.

    Raises:
        ChatRefusal: the template refuses the chat.
        DataError: the template takes too long.
    """
    return rendering.render(tokenizer, turns, tools=tools, prompt=prompt).text


@dataclass(frozen=True)
class _Chat:
    """A chat as its template receives it, its whole text, and the numbers of its trained turns, from 0."""

    turns: list[dict[str, Any]]
    tools: Sequence[dict[str, Any]]
    text: str
    trained: Collection[int]


def _encode_chat(row: Row, tokenizer: Any, *, everything: bool) -> EncodedRow:
    if not tokenizer.chat_template:
        raise RowError("is a chat, but the model has no chat template; set data.template")
    if everything and not all(m.is_trained for m in row.messages if m.role == "assistant"):
        raise RowError("has an answer with weight 0, but data.loss_on is everything")
    chat = _render_row(row, tokenizer)
    try:
        spans = [] if everything else _trained_spans(chat, tokenizer)
    except ChatRefusal as error:
        raise RowError(f"the chat template refuses this chat: {error}") from None
    tokens = tokenizer(chat.text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = tokens["input_ids"]
    if everything:
        return EncodedRow(ids, list(ids))
    labels = [IGNORE_INDEX] * len(ids)
    span = 0
    for i, (start, end) in enumerate(tokens["offset_mapping"]):
        while span < len(spans) and start >= spans[span][1]:
            span += 1
        if span < len(spans) and start < spans[span][1] and end > spans[span][0] and end > start:
            labels[i] = ids[i]
    return EncodedRow(ids, labels)


def _render_row(row: Row, tokenizer: Any) -> _Chat:
    """Render a chat in the first form of its turns of which the template loses nothing."""
    refusals: list[str] = []
    losses: list[str] = []
    for turns in list_forms(row.messages):
        try:
            text = render_chat(turns, tokenizer, tools=row.tools)
        except ChatRefusal as error:
            refusals.append(f"the chat template refuses this chat: {error}")
            continue
        lost_field = find_lost_field(turns, row.tools, text, partial(render_chat, tokenizer=tokenizer))
        if not lost_field:
            return _Chat(turns, row.tools, text, set(_list_trained_turns(row)))
        losses.append(f"the chat template does not render {lost_field}")
    raise RowError([*losses, *refusals][0])


def _list_trained_turns(row: Row) -> list[int]:
    answers = [n for n, m in enumerate(row.messages) if m.role == "assistant" and m.is_trained]
    return [n for n in answers if n >= row.prompt_turns]


def prefetch_chats(rows: Iterable[Row | Misfit], tokenizer: Any) -> None:
    """Render what `encode_row` usually needs for these rows in one go.

    Raises:
        DataError: the template takes too long.
    """
    chats: list[tuple[list[dict[str, Any]], Sequence[dict[str, Any]], bool]] = []
    characters = 0
    for row in rows:
        if not isinstance(row, Row) or not row.messages or not tokenizer.chat_template:
            continue
        turns, trained_turns = next(list_forms(row.messages)), _list_trained_turns(row)
        characters += (1 + 2 * len(trained_turns)) * sum(len(message.content) for message in row.messages)
        if characters > _PREFETCHED_CHARACTERS:
            break
        chats.append((turns, row.tools, False))
        for n in trained_turns:
            chats += [(turns[:n], row.tools, True)] if n else []
            chats.append((turns[: n + 1], row.tools, False))
    rendering.prefetch(tokenizer, chats)


def _trained_spans(chat: _Chat, tokenizer: Any) -> list[tuple[int, int]]:
    """Return the character spans of the trained turns, each with its stop token."""
    if "{% generation" in tokenizer.chat_template or "{%- generation" in tokenizer.chat_template:
        return _generation_spans(chat, tokenizer)
    return [_turn_span(chat, n, tokenizer) for n in sorted(chat.trained)]


def _turn_span(chat: _Chat, n: int, tokenizer: Any) -> tuple[int, int]:
    """Return the character span of an assistant turn with its stop token."""
    turn = chat.turns[n]
    before = render_chat(chat.turns[:n], tokenizer, prompt=True, tools=chat.tools) if n else ""
    until = render_chat(chat.turns[: n + 1], tokenizer, tools=chat.tools)
    if not chat.text.startswith(before) or not chat.text.startswith(until.rstrip()):
        raise RowError(
            f"turn {n + 1}: the template renders earlier turns differently in a longer chat, so the "
            "trained tokens are unknown; set data.template to a template with {% generation %}"
        )
    if turn.get("tool_calls"):
        return len(before), len(until.rstrip())
    return len(before), _find_turn_end(until, turn["content"], len(before))


def _find_turn_end(text: str, content: str, start: int) -> int:
    """Return where a turn ends: after its stop token, before the white space."""
    position = text.rfind(content.strip(), start)
    end_of_content = position + len(content.strip()) if position >= 0 else start
    return max(len(text.rstrip()), end_of_content)


def _generation_spans(chat: _Chat, tokenizer: Any) -> list[tuple[int, int]]:
    """Return the character spans inside the {% generation %} blocks of the trained turns."""
    answers = {n for n, turn in enumerate(chat.turns) if turn["role"] == "assistant"}
    excluded_spans = [_turn_span(chat, n, tokenizer) for n in sorted(answers.difference(chat.trained))]
    # A block can include the white space after the stop token.
    excluded_spans = [(a, len(chat.text) - len(chat.text[b:].lstrip())) for a, b in excluded_spans]
    rendered_chat = rendering.render(tokenizer, chat.turns, tools=chat.tools, with_spans=True)
    if rendered_chat.text != chat.text:
        raise RowError("the {% generation %} blocks of the chat template do not match its text")
    offsets = tokenizer(chat.text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    spans: list[tuple[int, int]] = []
    for start, end in offsets:
        is_trained = any(a < end and start < b for a, b in rendered_chat.spans)
        if not is_trained or any(a < end and start < b for a, b in excluded_spans):
            continue
        if spans and spans[-1][1] >= start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
