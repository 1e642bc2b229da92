"""Render and tokenise rows, and choose the trained tokens, for all stacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.files import expand_home
from finetune.data import rendering
from finetune.data.encoded_row import EncodedRow
from finetune.data.fields import find_lost_field, list_forms
from finetune.data.rendering import ChatRefusal
from finetune.data.rows import Misfit, Row
from finetune.data.spans import Chat, find_trained_spans
from finetune.data.training_template import find_training_template, has_marks
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
    path = expand_home(name)
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


def encode_rows(rows: Sequence[Row], tokenizer: Any, data: Data) -> list[EncodedRow | str]:
    """Return each row as tokens before truncation, or the reason why that is impossible.

    Chat: the answers are trained, each with its stop token (see `finetune.data.spans`), except those of a
    prompt and those with weight 0. Text: all tokens are trained. Prompt and
    completion as strings: the completion is trained. Text and completion end in EOS. Both answers of a
    preference follow the same tokens.
    """
    everything = data.loss_on == "everything"
    sides = [_render(row, tokenizer, everything=everything) for row in rows]
    encoded_texts = iter(
        _encode_texts([t for each in sides if not isinstance(each, str) for t in each], tokenizer)
    )
    return [
        each if isinstance(each, str) else _join_sides(row, [next(encoded_texts) for _ in each])
        for row, each in zip(rows, sides, strict=True)
    ]


def _encode_texts(texts: Sequence[_Text], tokenizer: Any) -> list[EncodedRow]:
    """Return the tokens of texts; many texts in one call of the tokenizer take half the time."""
    encoded_texts: dict[int, EncodedRow] = {}
    for is_chat in (True, False):
        group = [(n, text) for n, text in enumerate(texts) if text.is_chat == is_chat]
        if not group:
            continue
        tokens = tokenizer(
            [text.text for _, text in group], add_special_tokens=not is_chat, return_offsets_mapping=True
        )
        pairs = zip(tokens["input_ids"], tokens["offset_mapping"], strict=True)
        for (n, text), (ids, offsets) in zip(group, pairs, strict=True):
            encoded_texts[n] = _finish(text, ids, offsets, tokenizer.eos_token_id)
    return [encoded_texts[n] for n in range(len(texts))]


def _join_sides(row: Row, sides: Sequence[EncodedRow]) -> EncodedRow | str:
    try:
        encoded_row = sides[0] if len(sides) == 1 else _pair_sides(*sides)
    except RowError as error:
        return str(error)
    return replace(encoded_row, is_desirable=row.is_desirable)


@dataclass(frozen=True)
class _Text:
    """A row, or a side of a preference, as one text.

    Attributes:
        text: what becomes tokens; of a chat, the special tokens are in it.
        spans: the characters that are trained; None: all tokens are.
    """

    text: str
    spans: Sequence[tuple[int, int]] | None
    is_chat: bool


def _render(row: Row, tokenizer: Any, *, everything: bool) -> list[_Text] | str:
    try:
        if row.messages:
            return _render_chats(row.sides, tokenizer, everything=everything)
        return [_join_text(side, tokenizer, everything=everything) for side in row.sides]
    except RowError as error:
        return str(error)


def _pair_sides(chosen: EncodedRow, rejected: EncodedRow) -> EncodedRow:
    """Return a preference whose answers start at the same token, as in trl.

    If the end of the prompt and the start of an answer are one token, the answers differ from an earlier
    token on. What both have before the first difference changes no preference.
    """
    start = min(chosen.answer_start, rejected.answer_start)
    if chosen.input_ids[:start] != rejected.input_ids[:start]:
        raise RowError("has two answers to which the chat template gives different prompts")
    chosen, rejected = (
        replace(
            side,
            labels=side.labels[:start]
            + side.input_ids[start : side.answer_start]
            + side.labels[side.answer_start :],
        )
        for side in (chosen, rejected)
    )
    return replace(chosen, rejected=rejected)


def _join_text(row: Row, tokenizer: Any, *, everything: bool) -> _Text:
    if tokenizer.eos_token_id is None:
        raise RowError(
            "is text, but the tokenizer has no EOS token to end it; set eos_token in the model's "
            "tokenizer_config.json, or write the row as a chat"
        )
    if row.format == "text":
        if not row.text.strip():
            raise RowError("has an empty text")
        return _Text(row.text, None, is_chat=False)
    if not row.completion.strip():
        raise RowError("has an empty completion")
    text = row.prompt + row.completion
    return _Text(text, None if everything else [(len(row.prompt), len(text))], is_chat=False)


def _finish(text: _Text, ids: list[int], offsets: Sequence[tuple[int, int]], eos: int) -> EncodedRow:
    """Return the tokens of a row with their labels; a text that is no chat ends in EOS."""
    if text.is_chat:
        return EncodedRow(ids, _label(ids, offsets, text.spans or ()))
    if not ids or ids[-1] != eos:
        ids = [*ids, eos]
    if text.spans is None:
        return EncodedRow(ids, list(ids))
    start, _ = text.spans[0]
    first = next((i for i, (a, b) in enumerate(offsets) if b > start and b > a), len(ids) - 1)
    return EncodedRow(ids, [IGNORE_INDEX] * first + ids[first:])


def render_chat(
    turns: list[dict[str, Any]],
    tokenizer: Any,
    *,
    tools: Sequence[dict[str, Any]] = (),
    template: str | None = None,
) -> str:
    """Return the turns as the tokenizer's chat template, or another ``template``, renders them.

    Raises:
        ChatRefusal: the template refuses the chat.
        DataError: the template takes too long.
    """
    return rendering.render(tokenizer, turns, tools=tools, template=template).text


def _render_chats(rows: Sequence[Row], tokenizer: Any, *, everything: bool) -> list[_Text]:
    """Return a chat as text, or the two of a preference, in the first template that renders them."""
    row = rows[0]
    if not tokenizer.chat_template:
        raise RowError("is a chat, but the model has no chat template; set data.template")
    if everything and not all(m.is_trained for m in row.messages if m.role == "assistant"):
        raise RowError("has an answer with weight 0, but data.loss_on is everything")
    reasons = []
    for template in _list_templates(row, tokenizer, everything=everything):
        try:
            return [_render_chat(side, tokenizer, template, everything=everything) for side in rows]
        except ChatRefusal as error:
            reasons.append(f"the chat template refuses this chat: {error}")
        except RowError as error:
            reasons.append(str(error))
    raise RowError(reasons[0])


def _render_chat(row: Row, tokenizer: Any, template: str, *, everything: bool) -> _Text:
    chat = _render_row(row, tokenizer, template)
    spans = [(0, len(chat.text))] if everything else find_trained_spans(chat, tokenizer)
    return _Text(chat.text, spans, is_chat=True)


def _list_templates(row: Row, tokenizer: Any, *, everything: bool) -> list[str]:
    """Return the templates to try: the model's own, and trl's training template of it.

    A chat, of which all answers are trained, takes the training template. A completion comes after its
    prompt as the model sees it later, in its own template, if that shows where the completion starts.
    """
    try:
        own = rendering.get_template(tokenizer, row.tools)
    except ChatRefusal as error:
        raise RowError(f"the chat template refuses this chat: {error}") from None
    training = None if everything else find_training_template(own)
    if training is None:
        return [own]
    return [own, training] if row.prompt_turns else [training]


def _label(
    ids: Sequence[int], offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> list[int]:
    """Return the labels; the tokens that overlap a span are trained."""
    labels = [IGNORE_INDEX] * len(ids)
    span = 0
    for i, (start, end) in enumerate(offsets):
        while span < len(spans) and start >= spans[span][1]:
            span += 1
        if span < len(spans) and start < spans[span][1] and end > spans[span][0] and end > start:
            labels[i] = ids[i]
    return labels


def _render_row(row: Row, tokenizer: Any, template: str) -> Chat:
    """Render a chat in the first form of its turns of which the template loses nothing."""
    refusals: list[str] = []
    losses: list[str] = []
    render = partial(render_chat, tokenizer=tokenizer, template=template)
    for turns in list_forms(row.messages):
        try:
            rendered_chat = rendering.render(
                tokenizer, turns, tools=row.tools, with_spans=has_marks(template), template=template
            )
        except ChatRefusal as error:
            refusals.append(f"the chat template refuses this chat: {error}")
            continue
        lost_field = find_lost_field(turns, row.tools, rendered_chat.text, render)
        if not lost_field:
            return Chat(turns, row.tools, template, rendered_chat, _list_trained_turns(row))
        losses.append(f"the chat template does not render {lost_field}")
    raise RowError([*losses, *refusals][0])


def _list_trained_turns(row: Row) -> list[int]:
    answers = [n for n, m in enumerate(row.messages) if m.role == "assistant" and m.is_trained]
    return [n for n in answers if n >= row.prompt_turns]


def prefetch_chats(rows: Iterable[Row | Misfit], tokenizer: Any) -> None:
    """Render what `encode_rows` usually needs for these rows in one go.

    Raises:
        DataError: the template takes too long.
    """
    chats: list[dict[str, Any]] = []
    characters = 0
    for row in (side for pair in rows if isinstance(pair, Row) for side in pair.sides):
        if not row.messages or not tokenizer.chat_template:
            continue
        try:
            template = _list_templates(row, tokenizer, everything=False)[0]
        except RowError:
            continue
        turns, trained_turns = next(list_forms(row.messages)), _list_trained_turns(row)
        characters += (1 + 2 * len(trained_turns)) * sum(len(message.content) for message in row.messages)
        if characters > _PREFETCHED_CHARACTERS:
            break
        common = {"tools": row.tools, "template": template}
        chats.append({"turns": turns, "with_spans": has_marks(template), **common})
        for n in () if has_marks(template) else trained_turns:
            chats += [{"turns": turns[:n], "prompt": True, **common}] if n else []
            chats.append({"turns": turns[: n + 1], **common})
    rendering.prefetch(tokenizer, chats)
