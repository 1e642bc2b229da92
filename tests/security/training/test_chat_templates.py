"""Chat templates of strangers: without an end, slow, or refusing."""

from __future__ import annotations

import pickle
import re
import signal
import subprocess
import sys

import pytest
import tiny_model
from encoding import encode_row

from finetune.data import chat_process, dataset, rendering
from finetune.data.rows import parse_record
from finetune.data.template import load_tokenizer, set_template
from finetune.errors import DataError, TrainingError
from finetune.process import launch
from finetune.sections import Data
from finetune.spec import compose_spec


@pytest.fixture
def tokenizer(pristine_model):
    return load_tokenizer(str(pristine_model))


CHAT = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
ENDLESS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "loops while it is parsed": "{{ 9 ** (9 ** 9) }}",
    "a large number": "{{ (messages | length) ** (9 ** 9 ** 2) }}",
    "a long search": "{% set x = 'a' * 99999 %}{% for a in range(9999) %}{{ (x * 99).count('b' * 999) }}{% endfor %}",
}  # fmt: skip


@pytest.mark.parametrize("attack", sorted(ENDLESS))
def test_template_without_an_end_ends_the_command(tokenizer, monkeypatch, attack):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    good_template = tokenizer.chat_template
    tokenizer.chat_template = ENDLESS[attack] + good_template
    for _ in range(2):  # it is not tried twice
        with pytest.raises(DataError, match=r"chat template of .* is too slow"):
            encode_row(parse_record(1, CHAT), tokenizer, Data(train="x"))
    tokenizer.chat_template = good_template
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 60.0)
    assert encode_row(parse_record(1, CHAT), tokenizer, Data(train="x")).trained_tokens > 0


def test_slow_template_of_a_file_blames_the_file(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    (tmp_path / "mine.jinja").write_text(ENDLESS["loops"] + "{{ messages }}")
    with pytest.raises(DataError, match=r"^data\.template .*mine\.jinja is too slow"):
        set_template(tokenizer, str(tmp_path / "mine.jinja"))


def test_template_that_is_slow_for_each_row_ends_the_command(tokenizer, monkeypatch):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 1.5)
    monkeypatch.setattr(rendering, "SECONDS_EACH", 0.0)
    slow = "{% for a in range(9) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    tokenizer.chat_template = slow + tokenizer.chat_template
    with pytest.raises(DataError, match="is too slow"):
        for place in range(1000):
            encode_row(parse_record(place, CHAT), tokenizer, Data(train="x"))


@pytest.mark.parametrize(("template", "reason"), [
    ("{{ 'x' * 9999999999 }}", "too much memory"),
    ("{% set ns = namespace(x='xx') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "too much memory"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too much memory"),
    ("{{ 'x' * 30000000 }}", "makes 30,000,000 characters of a chat"),
    ("{{ messages[0]['content'] }}{{ '\\ud800' }}", "half of a surrogate pair"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe|undefined|no element"),
    ("{% for", "unexpected"),
])  # fmt: skip
def test_template_that_makes_too_much_or_no_text_refuses_the_row(tokenizer, monkeypatch, template, reason):
    monkeypatch.setattr(rendering, "FIRST_SECONDS", 300.0)
    tokenizer.chat_template = template
    answer = encode_row(parse_record(1, CHAT), tokenizer, Data(train="x"))
    assert isinstance(answer, str)
    assert re.search(reason, answer), answer


def count_renderings(monkeypatch):
    counts = []
    ask = rendering._PROCESS._ask

    def counting(requests, *rest):
        counts.append(len(requests))
        return ask(requests, *rest)

    monkeypatch.setattr(rendering._PROCESS, "_ask", counting)
    return counts


def test_template_that_refuses_everything_is_tried_once(tokenizer, model, tmp_path, monkeypatch):
    tokenizer.chat_template = "{{ raise_exception('I refuse ' ~ messages | length) }}"
    counts = count_renderings(monkeypatch)
    data = tiny_model.write(tmp_path / "rows.jsonl", tiny_model.sums(200))
    spec = compose_spec([("test", {"model": {"base": str(model)}, "data": {"train": str(data)}})]).spec
    with pytest.raises(DataError, match=r"200 of 200 rows cannot be used.*I refuse 2"):
        dataset.prepare_dataset(spec, tokenizer, tmp_path / "tokens")
    assert sum(counts) < 10, "one row and the simplest chats"


def test_template_that_refuses_some_chats_is_tried_for_each(tokenizer, monkeypatch):
    needs_system = (
        "{% if messages[0].role != 'system' %}{{ raise_exception('a system turn is missing') }}{% endif %}"
    )
    tokenizer.chat_template = needs_system + tokenizer.chat_template
    counts = count_renderings(monkeypatch)
    system = {"role": "system", "content": "be brief"}
    rows = [CHAT, {"messages": [system, *CHAT["messages"]]}, CHAT, CHAT]
    answers = [encode_row(parse_record(1, row), tokenizer, Data(train="x")) for row in rows]
    assert [isinstance(answer, str) for answer in answers] == [True, False, True, True]
    assert sum(counts) > 7


def test_process_that_renders_does_not_outlive_a_killed_command():
    request = {"turns": CHAT["messages"], "tools": [], "template": ENDLESS["a large number"], "prompt": False}
    message = pickle.dumps([{**request, "with_spans": False, "special_tokens": {}}])
    script = "import os, sys; from finetune.data import chat_process as c; c._LAST_SECONDS = 0; "
    script += "c.main(sys.stdin.buffer, sys.stdout.buffer)"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # nobody reads its answers, and nobody kills it
        process.stdin.write(chat_process.LENGTH.pack(len(message)) + message)
        process.stdin.close()
        assert process.wait(timeout=300) == -signal.SIGALRM


def test_template_without_an_end_in_a_stack_ends_the_stack(stack, tmp_path):
    """Some stacks render chats of their own when they load a tokenizer."""
    command = stack("""
        import jinja2, template_limit
        template_limit.limit_templates(run, 1)
        say("imported")
        jinja2.Template("{{ 9 ** (n ** n) }}").render(n=9)
    """)  # fmt: skip
    with pytest.raises(TrainingError, match=r"a chat template had \d+ s. A chat template did not end"):
        launch.run_process(command, tmp_path, {})
    harmless = stack("""
        import jinja2, template_limit
        template_limit.limit_templates(run)
        say("text", text=jinja2.Template("{{ n }}").render(n=9))
    """)  # fmt: skip
    events = []
    launch.run_process(harmless, tmp_path, {}, on_event=events.append)
    assert events[0]["text"] == "9"
    assert not (tmp_path / "slow-template.txt").exists()
