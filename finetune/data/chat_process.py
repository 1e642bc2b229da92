"""The process that renders chats: `python -m finetune.data.chat_process`, see `rendering`.

It reads lists of requests from standard input, and writes the lists of their answers to standard output. The
length of each list comes before it, in eight bytes. Requests are pickles of our own process. Answers are
JSON, because a template of strangers takes part in them.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

LENGTH = struct.Struct("<Q")
_MEMORY_BYTES = 2**29  # beside what the process has when it starts
_LAST_SECONDS = 60  # longer than the command waits; see `rendering`
_MAX_CHARACTERS, _MAX_GROWTH = 1_000_000, 20


def answer_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``text`` and ``spans`` (of the generation blocks), or ``refusal``: why there is no text."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        texts, spans = render_jinja_template(
            conversations=[request["turns"]],
            tools=request["tools"] or None,
            chat_template=request["template"],
            return_assistant_tokens_mask=request["with_spans"],
            add_generation_prompt=request["prompt"],
            **request["special_tokens"],
        )
    except (MemoryError, RecursionError) as error:
        return {"refusal": f"it needs too much memory ({type(error).__name__})"}
    except Exception as error:  # noqa: BLE001 - a template may refuse a chat with any error
        return {"refusal": str(error) or type(error).__name__}
    text, size = str(texts[0]), len(pickle.dumps(request))
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"refusal": "it makes a half of a surrogate pair, which is not a character"}
    if len(text) > _MAX_CHARACTERS + _MAX_GROWTH * size:
        return {"refusal": f"it makes {len(text):,} characters of a chat of {size:,} bytes"}
    return {"text": text, "spans": spans[0] if spans else []}


def main(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the input ends."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # rendering does not need it
    import transformers.utils.chat_template_utils  # noqa: F401 - before the memory is limited

    _limit_memory()
    _send(answers, b"ready")
    while header := requests.read(LENGTH.size):
        (size,) = LENGTH.unpack(header)
        batch = pickle.loads(requests.read(size))  # noqa: S301 - from our own process
        signal.alarm(_LAST_SECONDS + len(batch))  # ends this process, even if the command was killed
        _send(answers, json.dumps([answer_request(request) for request in batch]).encode())
        signal.alarm(0)


def _limit_memory() -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # a system without /proc: only the time is limited
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _send(answers: IO[bytes], message: bytes) -> None:
    answers.write(LENGTH.pack(len(message)) + message)
    answers.flush()


if __name__ == "__main__":
    private_output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    main(sys.stdin.buffer, private_output)
