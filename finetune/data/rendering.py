"""Render chats in a process of its own, with limits: a chat template is a program of strangers.

transformers' sandbox keeps a template from files and from Python, but not from loops or large numbers. The
process has a limit of memory. All renderings of a template share an amount of time, which grows with each of
them; a template that exceeds it ends the command. A template that refuses even the simplest chats is not
tried again for chats of the same form.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, cast

from finetune import isolation
from finetune.data.chat_process import LENGTH
from finetune.errors import DataError

FIRST_SECONDS, SECONDS_EACH = 10.0, 0.1
_START_SECONDS = 300.0
TEMPLATE_SOURCE = "advisor_template_source"  # attribute of a tokenizer: the file of its chat template
_PLAIN_CHATS = tuple(
    [{"role": role, "content": text} for role, text in turns]
    for turns in (
        [("user", "Question?")],
        [("user", "Question?"), ("assistant", "Answer.")],
        [("system", "Text."), ("user", "Question?"), ("assistant", "Answer.")],
    )
)
Turns = Sequence[dict[str, Any]]


class ChatRefusal(Exception):
    """A template does not render a chat; the message is its reason."""


@dataclass(frozen=True)
class Rendering:
    """A rendered chat: its text, and the character spans of the {% generation %} blocks."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()


@dataclass
class _History:
    """What a template has done so far.

    Attributes:
        seconds, count: its time and its renderings.
        delay: the message if it was too slow.
        refuses_all: whether it refuses the simplest chats; None if that is unknown.
        refusals: form of a chat → why it refuses such chats.
    """

    seconds: float = 0.0
    count: int = 0
    delay: str = ""
    refuses_all: bool | None = None
    refusals: dict[Any, str] = field(default_factory=dict)

    @property
    def remaining_seconds(self) -> float:
        return FIRST_SECONDS + SECONDS_EACH * self.count - self.seconds


def render(
    tokenizer: Any,
    turns: Turns,
    *,
    tools: Sequence[dict[str, Any]] = (),
    prompt: bool = False,
    with_spans: bool = False,
    template: str | None = None,
) -> Rendering:
    """Render the turns with the tokenizer's chat template, or another one.

    Args:
        tokenizer: a tokenizer of transformers with a chat template.
        turns: the chat.
        tools: its tools.
        prompt: whether to add the start of an answer.
        with_spans: whether to find the {% generation %} blocks.
        template: the text of another template; None for the tokenizer's.

    Raises:
        ChatRefusal: the template refuses the chat.
        DataError: the template takes too long, or ends its process.
    """
    request = _build_request(
        tokenizer, turns, tools=tools, prompt=prompt, with_spans=with_spans, template=template
    )
    return _PROCESS.render(request, _name_template(tokenizer))


def prefetch(tokenizer: Any, chats: Iterable[Mapping[str, Any]]) -> None:
    """Render chats in one go, and keep them for the next calls of `render`, which saves time.

    Args:
        tokenizer: a tokenizer of transformers with a chat template.
        chats: the arguments of `render` for each chat.

    Raises:
        DataError: the template takes too long, or ends its process.
    """
    with suppress(ChatRefusal):
        requests = [_build_request(tokenizer, **chat) for chat in chats]
        _PROCESS.prefetch(requests, _name_template(tokenizer))


def _name_template(tokenizer: Any) -> str:
    source = getattr(tokenizer, TEMPLATE_SOURCE, None)
    return f"data.template {source}" if source else f"the chat template of {tokenizer.name_or_path}"


def get_template(tokenizer: Any, tools: Sequence[dict[str, Any]] = ()) -> str:
    """Return the text of the tokenizer's chat template; a tokenizer may have one for chats with tools.

    Raises:
        ChatRefusal: it has several, and none of them is the default.
    """
    try:
        return str(tokenizer.get_chat_template(None, list(tools) or None))
    except ValueError as error:
        raise ChatRefusal(str(error)) from None


def _build_request(
    tokenizer: Any,
    turns: Turns,
    *,
    tools: Sequence[dict[str, Any]] = (),
    prompt: bool = False,
    with_spans: bool = False,
    template: str | None = None,
) -> dict[str, Any]:
    return {
        "turns": [{k: v for k, v in turn.items() if v is not None} for turn in turns],
        "tools": list(tools),
        "template": get_template(tokenizer, tools) if template is None else template,
        "prompt": prompt,
        "with_spans": with_spans,
        "special_tokens": dict(tokenizer.special_tokens_map),
    }


class _ChatProcess:
    """The process of all templates, which starts with the first request and after each kill."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._histories: dict[str, _History] = {}
        self._answers: dict[bytes, dict[str, Any]] = {}
        self._lock = threading.RLock()

    def render(self, request: dict[str, Any], name: str) -> Rendering:
        """Answer a request of `render`; ``name`` is that of the template."""
        with self._lock:
            history = self._histories.setdefault(request["template"], _History())
            form = _describe_form(request)
            if form in history.refusals:
                raise ChatRefusal(history.refusals[form])
            answer = self._answers.get(pickle.dumps(request)) or self._ask([request], history, name)[0]
            if "refusal" not in answer:
                return Rendering(answer["text"], tuple((a, b) for a, b in answer["spans"]))
            if history.refuses_all is None:
                history.refuses_all = all(
                    "refusal" in answer
                    for turns in _PLAIN_CHATS
                    for answer in self._ask([{**request, "turns": turns, "tools": []}], history, name)
                )
            if history.refuses_all:
                history.refusals[form] = answer["refusal"]
            raise ChatRefusal(answer["refusal"])

    def prefetch(self, requests: list[dict[str, Any]], name: str) -> None:
        """Keep the answers to the requests, unless the template is new or refuses all chats."""
        with self._lock:
            self._answers.clear()
            unique_requests = {pickle.dumps(request): request for request in requests}
            for template in {request["template"] for request in requests}:
                history = self._histories.get(template, _History())
                group = {key: r for key, r in unique_requests.items() if r["template"] == template}
                if history.count and not history.refuses_all:
                    answers = self._ask(list(group.values()), history, name)
                    self._answers |= dict(zip(group, answers, strict=True))

    def _ask(self, requests: list[dict[str, Any]], history: _History, name: str) -> list[dict[str, Any]]:
        if history.delay:
            raise DataError(history.delay)
        message = pickle.dumps(requests)
        process = self._process or self._start()
        start = time.monotonic()
        seconds = max(0.0, min(history.remaining_seconds, FIRST_SECONDS + SECONDS_EACH * len(requests)))
        try:
            _send(process, LENGTH.pack(len(message)) + message)
            answers: list[dict[str, Any]] = json.loads(_receive(process, start + seconds))
        except TimeoutError:
            self.close()
            history.delay = (
                f"{name} is too slow: {seconds:.0f} s are not enough for {len(requests)} rendering"
                f"{'s' * (len(requests) > 1)}. Look for a loop in it, or use another one with data.template"
            )
            raise DataError(history.delay) from None
        except (OSError, EOFError):
            self.close()
            raise DataError(f"{name} ended the process that renders it") from None
        except BaseException:  # Ctrl-C: the answer is still to come
            self.close()
            raise
        finally:
            history.seconds += time.monotonic() - start
        history.count += len(answers)
        return answers

    def _start(self) -> subprocess.Popen[bytes]:
        command = isolation.close_network([sys.executable, "-m", "finetune.data.chat_process"])
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=isolation.select_variables(isolation.OFFLINE),
            start_new_session=True,  # Ctrl-C reaches only the command, which ends this process
        )
        try:
            _receive(self._process, time.monotonic() + _START_SECONDS)
        except (OSError, EOFError):
            self.close()
            raise DataError(
                "cannot start the process that renders chats: is transformers installed?"
            ) from None
        return self._process

    def close(self) -> None:
        """Kill the process."""
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None


def _describe_form(request: dict[str, Any]) -> Any:
    """Return what templates look at: roles and fields of the turns, and whether there are tools."""
    turns = frozenset((str(t.get("role")), *sorted(t), bool(t.get("content"))) for t in request["turns"])
    return turns, bool(request["tools"]), request["prompt"], request["with_spans"]


def _send(process: subprocess.Popen[bytes], message: bytes) -> None:
    requests = cast("IO[bytes]", process.stdin)
    while message:
        message = message[os.write(requests.fileno(), message) :]


def _receive(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return the next message.

    Raises:
        TimeoutError: it did not come until the deadline.
        EOFError: the process ended.
    """
    (size,) = LENGTH.unpack(_read(process, LENGTH.size, deadline))
    return _read(process, size, deadline)


def _read(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    answers = cast("IO[bytes]", process.stdout)
    parts: list[bytes] = []
    while size:
        if not select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(answers.fileno(), min(size, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


_PROCESS = _ChatProcess()
atexit.register(_PROCESS.close)
