"""An OpenAI-compatible endpoint for a run, on the loopback address; the models answer in another process.

A web page in the user's browser can send requests to the loopback address too. So the server accepts only its
own address as Host, and only JSON as the type of a body, which a page of another origin cannot send without
the permission that this server never gives.
"""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast

from finetune import isolation, record
from finetune.errors import RunError, TrainingError
from finetune.weights import base

MODELS = ("adapter", "base")
_LOOPBACK = "127.0.0.1"
_MOST_BODY_BYTES = 4 * 2**20
_MOST_TOKENS, _DEFAULT_TOKENS = 32_768, 512
_WATCH_SECONDS = 0.2
_JOIN_SECONDS = 10
# Fields that this server does not carry out, with the values that change nothing: clients send those too.
_UNUSED_FIELDS: Mapping[str, tuple[Any, ...]] = {
    "stop": (None, "", []),
    "top_p": (None, 1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "response_format": (None, {"type": "text"}),
    "n": (None, 1),
}


class ModelProcess:
    """The process that answers (`finetune.after.answering`); one request at a time."""

    def __init__(self, folder: Path) -> None:
        """Start the process and wait until the model is loaded.

        Raises:
            RunError: the run is not finished.
            TrainingError: the model cannot be loaded.
        """
        run_record = record.read_record(folder)
        if run_record.current_state != "finished":
            raise RunError(f"{folder} is {run_record.current_state}; only a finished run can answer")
        spec = record.read_spec(folder, run_record)
        base.fetch_model(spec.model.base, spec.model.revision)
        self._lock, self._pipe_lock = threading.Lock(), threading.Lock()
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            isolation.close_network([sys.executable, "-m", "finetune.after.answering", str(folder)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=isolation.select_variables(isolation.OFFLINE),
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches only the command, which ends this process
        )
        self._errors: list[str] = []
        self._error_reader = threading.Thread(target=self._collect_errors, daemon=True)
        self._error_reader.start()
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def answer(
        self, request: Mapping[str, Any], has_left: Callable[[], bool] = lambda: False
    ) -> Generator[dict[str, Any], None, None]:
        """Yield the pieces of an answer; the last one has ``finish_reason`` or ``error``.

        Args:
            request: what `parse_request` returns.
            has_left: whether nobody waits for the answer any more; then the model stops.
        """
        with self._lock:
            if self._process.poll() is not None:
                raise TrainingError(self._describe_end())
            number = next(self._numbers)
            self._send({**request, "number": number})
            is_complete = False
            with self._stop_if(has_left, number):
                try:
                    while not is_complete:
                        piece = self._read()
                        is_complete = "text" not in piece
                        yield piece
                finally:
                    if not is_complete:  # the rest must not go to the next one
                        self._send({"stop": number})
                    while not is_complete:
                        is_complete = "text" not in self._read()

    @contextmanager
    def _stop_if(self, has_left: Callable[[], bool], number: int) -> Iterator[None]:
        """Stop the answer with this number when nobody waits for it any more."""
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(_WATCH_SECONDS):
                if has_left():
                    self._send({"stop": number})
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def _send(self, line: Mapping[str, Any]) -> None:
        pipe = cast("IO[str]", self._process.stdin)
        try:
            with self._pipe_lock:
                pipe.write(json.dumps(line) + "\n")
                pipe.flush()
        except OSError:  # the process has ended; `_read` says how
            return

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.wait()
            raise TrainingError(self._describe_end())
        return dict(json.loads(line))

    def _collect_errors(self) -> None:
        for line in self._process.stderr or ():
            self._errors = [*self._errors[-20:], line.strip()]

    def _describe_end(self) -> str:
        last_line = next((line for line in reversed(self._errors) if line), "it printed nothing")
        return f"the process of the model ended with exit code {self._process.returncode}: {last_line}"

    def close(self) -> None:
        """End the process, and close its pipes."""
        self._process.kill()
        self._error_reader.join(_JOIN_SECONDS)
        with suppress(OSError), self._process:  # what it did not read goes nowhere
            pass


def parse_request(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what `answering` needs of a request in OpenAI's form.

    Args:
        body: the request.
        names: name of a model in requests → ``adapter`` or ``base``.

    Raises:
        ValueError: a field is wrong; the message says which.
    """
    name = body.get("model", "adapter")
    if name not in names:
        raise ValueError(f"unknown model {name!r}; there are {', '.join(names)}")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise ValueError("messages: expected a list with at least one message")
    count = body.get("max_completion_tokens") or body.get("max_tokens") or _DEFAULT_TOKENS
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_TOKENS:
        raise ValueError(f"max_tokens: expected a number from 1 to {_MOST_TOKENS}")
    temperature = body.get("temperature", 0)
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not is_number or not 0 <= temperature <= 2:
        raise ValueError("temperature: expected a number from 0 to 2")
    for field, neutral_values in _UNUSED_FIELDS.items():
        if body.get(field) not in neutral_values:
            raise ValueError(f"{field}: this server does not support it; leave it out")
    seed = body.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ValueError("seed: expected a whole number")
    return {
        "model": names[name],
        "messages": messages,
        "tools": body.get("tools"),
        "max_tokens": count,
        "temperature": temperature,
        "seed": seed,
    }


def build_server(models: ModelProcess, run_id: str, port: int) -> ThreadingHTTPServer:
    """Return a server on the loopback address; port 0: any free one.

    Raises:
        RunError: the port is in use.
    """
    names = {"adapter": "adapter", "base": "base", run_id: "adapter", f"{run_id}-base": "base"}
    handler = type("RunHandler", (_Handler,), {"models": models, "names": names})
    try:
        return ThreadingHTTPServer((_LOOPBACK, port), handler)
    except OSError as error:
        raise RunError(f"cannot serve on port {port}: {error.strerror}; choose another --port") from None


class _Handler(BaseHTTPRequestHandler):
    """Answers GET /v1/models and POST /v1/chat/completions."""

    models: ModelProcess
    names: Mapping[str, str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write no line for each request."""

    def do_GET(self) -> None:
        """List the models."""
        if not self._has_own_host():
            return
        if self.path.rstrip("/") != "/v1/models":
            self._send_error(404, f"unknown path {self.path}; there are /v1/models and /v1/chat/completions")
            return
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "advisor"} for name in self.names]
        self._send_json(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        """Answer a chat."""
        if not self._has_own_host():
            return
        if self.path.rstrip("/") != "/v1/chat/completions":
            self._send_error(404, f"unknown path {self.path}; there are /v1/models and /v1/chat/completions")
            return
        body = self._read_body()
        if body is None:
            return
        try:
            request = parse_request(body, self.names)
        except ValueError as error:
            self._send_error(400, str(error))
            return
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time())}
        head["model"] = body.get("model", "adapter")
        try:
            self._answer(request, head, is_stream=bool(body.get("stream")))
        except TrainingError as error:
            self._send_error(500, str(error))

    def _answer(self, request: Mapping[str, Any], head: dict[str, Any], *, is_stream: bool) -> None:
        pieces = self.models.answer(request, self._has_client_left)
        first = next(pieces)
        if "error" in first:
            self._send_error(400, first["error"], first.get("code"))
            return
        if is_stream:
            self._stream(first, pieces, head)
            return
        rest = [first, *pieces]
        last = rest[-1]
        if "error" in last:
            self._send_error(500, last["error"])
            return
        message = {"role": "assistant", "content": "".join(piece.get("text", "") for piece in rest)}
        choice = {"index": 0, "message": message, "finish_reason": last["finish_reason"], "logprobs": None}
        counts = {name: last[name] for name in ("prompt_tokens", "completion_tokens")}
        usage = {**counts, "total_tokens": sum(counts.values())}
        self._send_json(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def _stream(
        self, first: dict[str, Any], pieces: Generator[dict[str, Any], None, None], head: dict[str, Any]
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

        def send(delta: dict[str, Any], reason: str | None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        try:
            send({"role": "assistant", "content": ""}, None)
            for piece in (first, *pieces):
                if "text" in piece:
                    send({"content": piece["text"]}, None)
                else:
                    send({}, piece.get("finish_reason", "error"))
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            pieces.close()

    def _has_client_left(self) -> bool:
        """Return whether the client has closed its connection."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _has_own_host(self) -> bool:
        """Return whether the request names this server; refuse others (DNS rebinding)."""
        host, port = self.headers.get("Host", ""), cast("ThreadingHTTPServer", self.server).server_port
        if host in (f"{_LOOPBACK}:{port}", f"localhost:{port}"):
            return True
        self._send_error(403, "this server answers only requests to its own address")
        return False

    def _read_body(self) -> dict[str, Any] | None:
        """Return the body; None after an error was sent."""
        if self.headers.get_content_type() != "application/json":
            self._send_error(415, "expected Content-Type: application/json")
            return None
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > _MOST_BODY_BYTES:
            self._send_error(413, f"expected a body of at most {_MOST_BODY_BYTES} bytes")
            return None
        try:
            body = json.loads(self.rfile.read(int(size)))
        except (ValueError, RecursionError) as error:
            self._send_error(400, f"the body is not JSON: {error}")
            return None
        if not isinstance(body, dict):
            self._send_error(400, "the body is not an object")
            return None
        return body

    def _send_error(self, status: int, message: str, code: str | None = None) -> None:
        self.close_connection = True
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self._send_json(status, {"error": {"message": message, "type": kind, "param": None, "code": code}})

    def _send_json(self, status: int, value: Mapping[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
