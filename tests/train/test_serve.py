"""The endpoint and the chat of a run, with the real tiny model; the adapter says what the run's answers say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from finetune.after.serve import ModelProcess, build_server

QUESTION = [{"role": "user", "content": "what is 1 plus 6 ?"}]


@pytest.fixture(scope="module")
def address(finished_run, variables):
    """The address of the endpoint that `advisor runs serve` starts."""
    command = [sys.executable, "-m", "advisor", "runs", "serve", str(finished_run[0]), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
    ) as process:
        line = process.stdout.readline()
        assert line.endswith("/v1 serves the models adapter and base\n"), process.stderr.read()
        yield line.split()[0]
        process.terminate()


def ask(address, **body):
    return httpx.post(
        f"{address}/chat/completions", json={"messages": QUESTION, "max_tokens": 8, **body}, timeout=300
    )


def test_base_and_adapter_answer_as_in_the_evaluation(address, finished_run):
    rows = [json.loads(line) for line in (finished_run[0] / "answers.jsonl").read_text().splitlines()]
    row = next(row for row in rows if "1 plus 6" in row["question"])
    for model in ("base", "adapter"):
        answer = ask(address, model=model, max_tokens=14).json()
        assert answer["choices"][0]["message"]["content"].strip() == row[model]
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        ended = usage["completion_tokens"] < 14
        assert answer["choices"][0]["finish_reason"] == ("stop" if ended else "length")
    names = [model["id"] for model in httpx.get(f"{address}/models").json()["data"]]
    assert names == ["adapter", "base", finished_run[0].name, f"{finished_run[0].name}-base"]


def test_stream_has_the_same_text_in_pieces(address):
    whole = ask(address, model="adapter").json()["choices"][0]["message"]["content"]
    lines = [line for line in ask(address, model="adapter", stream=True).text.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == whole
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "gpt"}, "unknown model 'gpt'; there are adapter, base"),
        ({"messages": []}, "messages: expected a list"),
        ({"max_tokens": 0.5}, "max_tokens: expected"),
        ({"temperature": 3}, "temperature: expected"),
        ({"temperature": True}, "temperature: expected"),
        ({"n": 2}, "n: this server does not support it"),
        ({"stop": ["it"]}, "stop: this server does not support it"),
        ({"response_format": {"type": "json_object"}}, "response_format: this server does not support it"),
        ({"messages": [{"role": "user"}]}, "the chat template refuses these messages"),
    ],
)
def test_wrong_requests_are_explained(address, body, message):
    answer = ask(address, **body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert ask(address, model="base", max_tokens=1).status_code == 200, "the next request has its answer"


def test_messages_longer_than_the_context_are_refused_at_once(address):
    """The tiny model reads 512 tokens; an answer ends there at the latest."""
    answer = ask(address, messages=[{"role": "user", "content": "what " * 600}])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert error["message"].endswith("tokens, and the model reads at most 512")
    long_question = [{"role": "user", "content": "what " * 200}]
    usage = ask(address, messages=long_question, max_tokens=5000).json()["usage"]
    assert 200 < usage["prompt_tokens"] < usage["total_tokens"] <= 512


def test_values_that_change_nothing_are_accepted(address):
    values = {"top_p": 1.0, "n": 1, "stop": None, "presence_penalty": 0.0, "logprobs": False}
    assert ask(address, **values).json() | {"id": "", "created": 0} == ask(address).json() | {
        "id": "", "created": 0
    }  # fmt: skip


def test_pages_of_other_origins_are_refused(address):
    url = f"{address}/chat/completions"
    body = json.dumps({"messages": QUESTION})
    assert httpx.post(url, content=body, headers={"Content-Type": "text/plain"}).status_code == 415
    headers = {"Content-Type": "application/json", "Host": "evil.example"}
    assert httpx.post(url, content=body, headers=headers).status_code == 403
    assert httpx.get(f"{address}/models", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{address}/nothing").status_code == 404
    assert httpx.post(url, content="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert "access-control-allow-origin" not in httpx.get(f"{address}/models").headers


def test_chat_in_the_terminal_shows_both(advisor, finished_run):
    process = advisor("runs", "chat", finished_run[0], "--max-tokens", "8", input="what is 1 plus 6 ?\n\n")
    lines = process.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["base", "adapter"]


class RecordedModels(ModelProcess):
    """The process of the models, with what it gets and what it answers."""

    def __init__(self, folder):
        self.lines, self.ends = [], []
        super().__init__(folder)

    def _send(self, line):
        super()._send(line)
        self.lines.append(line)

    def _read(self):
        piece = super()._read()
        if "completion_tokens" in piece:
            self.ends.append(piece["completion_tokens"])
        return piece

    def pause(self):
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture
def recorded_server(finished_run):
    """The server of a run in this process: its models and its address."""
    models = RecordedModels(finished_run[0])
    server = build_server(models, "run", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield models, server.server_address
    server.shutdown()
    thread.join()
    server.server_close()
    models.close()


def wait_until(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("is_stream", [True, False])
def test_model_stops_when_the_client_leaves(recorded_server, is_stream):
    """The model is paused while the client leaves, so that a fast one cannot end by itself."""
    models, address = recorded_server
    values = {"model": "base", "messages": QUESTION, "temperature": 2, "seed": 1, "max_tokens": 450}
    url = f"http://127.0.0.1:{address[1]}/v1"
    whole = ask(url, **values).json()["usage"]["completion_tokens"]
    assert whole > 100, "an answer that is worth stopping"
    body = json.dumps({**values, "stream": is_stream})
    head = f"Host: 127.0.0.1:{address[1]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    if not is_stream:
        models.pause()
    with socket.create_connection(address) as client:
        client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        if is_stream:
            while b"content" not in client.recv(4096):
                pass
            models.pause()
        wait_until(lambda: len(models.lines) == 2)
    wait_until(lambda: "stop" in models.lines[-1])
    models.go_on()
    wait_until(lambda: len(models.ends) == 2)
    assert models.ends[0] == whole
    assert models.ends[1] < whole / 2
    assert ask(url, **values).json()["usage"]["completion_tokens"] == whole, "the next answer is whole"
