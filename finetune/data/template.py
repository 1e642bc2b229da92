"""How a row becomes text and which of its characters are trained: one place for all stacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.errors import DataError, ModelError
from finetune.weights.base import located

if TYPE_CHECKING:
    from finetune.data.rows import Row
    from finetune.spec import Data

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ALPACA = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'] + '\n\n' }}"
    "{% else %}{{ '### Response:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)
IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """A row as tokens.

    Attributes:
        input_ids: token ids, before anything is cut.
        labels: the same where a token is trained, -100 elsewhere.
    """

    input_ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """Number of trained tokens."""
        return sum(label != IGNORED for label in self.labels)


def load_tokenizer(base: str, revision: str | None = None, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a base model.

    Raises:
        ModelError: there is no such model, or it brings no usable (fast) tokenizer.
    """
    from transformers import AutoTokenizer

    folder = located(base)
    if folder is not None:
        names = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")
        if not any((folder / name).is_file() for name in names):
            raise ModelError(
                f"{base} has no tokenizer (none of {', '.join(names)}); copy the tokenizer files of the "
                "model that it was made from beside the weights"
            )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder or base), revision=revision, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # noqa: BLE001 - whatever the hub's client or a broken file raises
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"the tokenizer of {base} cannot be loaded: {first}") from None
    if not tokenizer.is_fast:
        raise ModelError(f"the tokenizer of {base} gives no offsets (is not 'fast'), so masks cannot be laid")
    return tokenizer


def with_template(tokenizer: Any, wanted: str) -> Any:
    """Give the tokenizer the chat template that the run asks for.

    Raises:
        DataError: the template file is missing or is not a Jinja template.
    """
    if wanted == "auto":
        return tokenizer
    named = {"chatml": CHATML, "alpaca": ALPACA}
    if wanted in named:
        tokenizer.chat_template = named[wanted]
        return tokenizer
    path = Path(wanted).expanduser()
    if not path.is_file():
        raise DataError(f"data.template: there is no file {wanted}; known names: auto, chatml, alpaca")
    tokenizer.chat_template = path.read_text("utf-8")
    _check_template(tokenizer, wanted)
    return tokenizer


def _check_template(tokenizer: Any, name: str) -> None:
    turns = [{"role": "user", "content": "Question?"}, {"role": "assistant", "content": "Answer 4711."}]
    try:
        shown = tokenizer.apply_chat_template(turns, tokenize=False)
    except Exception as error:  # noqa: BLE001 - jinja2 raises whatever the template provokes
        raise DataError(f"data.template: {name} does not render a chat: {error}") from None
    if "Question?" not in shown or "Answer 4711." not in shown:
        raise DataError(f"data.template: {name} loses what the turns say; it rendered {shown[:80]!r}")


def encode(row: Row, tokenizer: Any, data: Data) -> Encoded | str:
    """A row as tokens, uncut; or the reason why it cannot be.

    Chat: the trained span of an assistant turn runs from where the generation prompt ends to the end
    of the turn's stop token; white space that the template adds after it is not trained. Text: all
    of it. Prompt-completion of strings: the completion. Text and completion end in EOS.
    """
    if row.messages:
        return _chat(row, tokenizer, everything=data.loss_on == "everything")
    if row.format == "text":
        if not row.text.strip():
            return "has an empty text"
        ids = [*_plain(tokenizer, row.text), tokenizer.eos_token_id]
        return Encoded(ids, list(ids))
    if not row.completion.strip():
        return "has an empty completion"
    prompt = _plain(tokenizer, row.prompt)
    whole = tokenizer(row.prompt + row.completion, return_offsets_mapping=True)
    ids = [*whole["input_ids"], tokenizer.eos_token_id]
    if whole["input_ids"] and whole["input_ids"][-1] == tokenizer.eos_token_id:
        ids.pop()
    if data.loss_on == "everything":
        return Encoded(ids, list(ids))
    start = len(row.prompt)
    first = next((i for i, (a, b) in enumerate(whole["offset_mapping"]) if b > start and b > a), len(prompt))
    return Encoded(ids, [IGNORED] * first + ids[first:])


def _plain(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text)["input_ids"]
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def render(turns: list[dict[str, str]], tokenizer: Any, *, prompt: bool = False) -> str:
    """The turns as the template writes them, with the beginning of an answer if ``prompt``."""
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt)
    return text


def _chat(row: Row, tokenizer: Any, *, everything: bool) -> Encoded | str:
    turns = [{"role": m.role, "content": m.content} for m in row.messages]
    if not tokenizer.chat_template:
        return "is a chat, but the model has no chat template: name one in data.template"
    try:
        whole = render(turns, tokenizer)
        spans = [] if everything else _trained_spans(turns, whole, tokenizer)
    except Exception as error:  # noqa: BLE001 - a template may refuse roles or their order in its own words
        return f"the chat template refuses it: {error}"
    if isinstance(spans, str):
        return spans
    tokens = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = tokens["input_ids"]
    if everything:
        return Encoded(ids, list(ids))
    labels = [IGNORED] * len(ids)
    at = 0
    for i, (start, end) in enumerate(tokens["offset_mapping"]):
        while at < len(spans) and start >= spans[at][1]:
            at += 1
        if at < len(spans) and start < spans[at][1] and end > spans[at][0] and end > start:
            labels[i] = ids[i]
    return Encoded(ids, labels)


def _trained_spans(turns: list[dict[str, str]], whole: str, tokenizer: Any) -> list[tuple[int, int]] | str:
    """Character spans of the assistant's turns, each with its stop token."""
    if "{% generation" in tokenizer.chat_template or "{%- generation" in tokenizer.chat_template:
        return _marked_spans(turns, whole, tokenizer)
    spans = []
    for n, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        before = render(turns[:n], tokenizer, prompt=True) if n else ""
        until = render(turns[: n + 1], tokenizer)
        if not whole.startswith(before) or not whole.startswith(until.rstrip()):
            return (
                f"turn {n + 1}: the template writes the beginning of a chat otherwise once the chat goes on, "
                "so the answer cannot be found; name a template with {% generation %} in data.template"
            )
        spans.append((len(before), _stop(until, turn["content"], len(before))))
    return spans


def _stop(until: str, content: str, start: int) -> int:
    """Where a turn ends: after its stop token, before white space that the template adds."""
    said = until.rfind(content.strip(), start)
    end_of_content = said + len(content.strip()) if said >= 0 else start
    return max(len(until.rstrip()), end_of_content)


def _marked_spans(turns: list[dict[str, str]], whole: str, tokenizer: Any) -> list[tuple[int, int]] | str:
    marked = tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    offsets = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    mask = marked["assistant_masks"]
    if len(mask) != len(offsets):
        return "the template's {% generation %} marks do not match its text"
    spans: list[tuple[int, int]] = []
    for (start, end), trained in zip(offsets, mask, strict=True):
        if not trained:
            continue
        if spans and spans[-1][1] >= start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
