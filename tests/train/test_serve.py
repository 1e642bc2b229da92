"""The endpoint and the chat of a run, with the real tiny model; the adapter says what the run's answers say."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

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
