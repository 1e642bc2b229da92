"""No field of a row is lost: it reaches the chat template, or the row is refused with the field's name."""

from __future__ import annotations

import gzip
import json

import pytest
import tiny_model
from encoding import encode_row

from finetune.data.dataset import prepare_dataset
from finetune.data.findings import gather_material
from finetune.data.rows import Message, Misfit, parse_record, read_rows
from finetune.errors import DataError
from finetune.runners.emit import IGNORE_INDEX

TOOL_TEMPLATE = (
    "{% for tool in tools or [] %}{{ 'tool ' + (tool['function'] | tojson) + '\n' }}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['reasoning_content'] %}{{ '(' + m['reasoning_content'] + ')' }}{% endif %}{{ m['content'] }}"
    "{% for call in m['tool_calls'] or [] %}"
    "{{ 'call ' + call['function']['name'] + ' ' + (call['function']['arguments'] | tojson) }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT_TEMPLATE = TOOL_TEMPLATE.replace(
    "(call['function']['arguments'] | tojson)", "call['function']['arguments']"
)
GENERATION_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>\n' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
USER = {"role": "user", "content": "what is 1 plus 1 ?"}
ANSWER = {"role": "assistant", "content": "it is 2 ."}
CALL = {"function": {"name": "sum", "arguments": {"a": 1, "b": "ü"}}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "name": "sum", "tool_call_id": "abc", "content": "2"}
TOOL = {"type": "function", "function": {"name": "sum", "parameters": {"type": "object"}}}
CALLS = {"messages": [USER, CALLING, RESULT, ANSWER], "tools": [TOOL]}
CALL_TEXT = 'call sum {"a": 1, "b": "ü"}<|im_end|>'


@pytest.fixture
def encode(make_spec, tokenizer):
    """Return a function from a record and a template to the text, with the trained parts in ⟦ ⟧."""

    def show(record, template=TOOL_TEMPLATE, **data):
        if template is not None:
            tokenizer.chat_template = template
        row = parse_record(1, record)
        assert not isinstance(row, Misfit), row.why
        encoded_row = encode_row(row, tokenizer, make_spec([record], data=data).spec.data)
        if isinstance(encoded_row, str):
            return encoded_row
        runs: list[tuple[bool, list[int]]] = []
        for token, label in zip(encoded_row.input_ids, encoded_row.labels, strict=True):
            is_trained = label != IGNORE_INDEX
            if not runs or runs[-1][0] != is_trained:
                runs.append((is_trained, []))
            runs[-1][1].append(token)
        texts = [(is_trained, tokenizer.decode(tokens)) for is_trained, tokens in runs]
        return "".join(f"⟦{text}⟧" if is_trained else text for is_trained, text in texts)

    return show


@pytest.mark.parametrize("template", [TOOL_TEMPLATE, TEXT_TEMPLATE])
def test_tools_and_tool_calls_are_rendered_in_the_form_of_the_template(encode, template):
    text = encode(CALLS, template)
    assert text.startswith('tool {"name": "sum", "parameters": {"type": "object"}}\n<|im_start|>user')
    assert f"assistant\n⟦{CALL_TEXT}⟧\n" in text
    assert text.endswith("assistant\n⟦it is 2 .<|im_end|>⟧\n")
    assert "None" not in text


@pytest.mark.parametrize("calls", [
    [{**CALL, "type": "function"}], [CALL["function"]], json.dumps([CALL]),
    [{"function": {"name": "sum", "arguments": json.dumps(CALL["function"]["arguments"])}}],
])  # fmt: skip
@pytest.mark.parametrize("content", [None, ""])
def test_tool_calls_have_one_form(encode, calls, content):
    record = {"messages": [USER, {**CALLING, "content": content, "tool_calls": calls}, RESULT, ANSWER]}
    assert f"⟦{CALL_TEXT}⟧" in encode(record)


def test_sharegpt_calls_and_observations_are_tool_calls_and_their_results(encode):
    turns = [
        {"from": "human", "value": USER["content"]},
        {"from": "function_call", "value": json.dumps(CALL["function"])},
        {"from": "observation", "value": "2"},
        {"from": "gpt", "value": ANSWER["content"]},
    ]
    assert encode({"conversations": turns, "tools": json.dumps([TOOL["function"]])}) == encode(CALLS)


def test_thought_is_rendered(encode):
    record = {"messages": [USER, {**ANSWER, "reasoning_content": "the sum"}]}
    assert "⟦(the sum)it is 2 .<|im_end|>⟧" in encode(record)


@pytest.mark.parametrize("name", ["reasoning", "thinking"])
def test_thought_has_the_name_that_the_template_knows(encode, name):
    record = {"messages": [USER, {**ANSWER, name: "the sum"}]}
    assert "⟦(the sum)it is 2 .<|im_end|>⟧" in encode(record)


def test_empty_answer_trains_only_its_end_token(encode):
    text = encode({"messages": [USER, {**ANSWER, "content": ""}]})
    assert text.endswith("assistant\n⟦<|im_end|>⟧\n")


def test_completion_starts_where_the_chat_leaves_its_prompt(encode):
    template = TOOL_TEMPLATE.replace("assistant\n' }}{% endif %}", "assistant\n<think>' }}{% endif %}")
    assert encode({"messages": [USER, ANSWER]}, template).endswith("assistant\n⟦it is 2 .<|im_end|>⟧\n")


def test_content_that_the_template_drops_is_a_reason_also_if_it_refuses_an_empty_one(encode):
    template = "{% for m in messages %}{{ m['role'] if m['content'][0] }}: {% endfor %}"
    assert (
        encode({"messages": [USER, ANSWER]}, template)
        == "the chat template does not render the content of turn 1"
    )


@pytest.mark.parametrize(("record", "lost"), [
    ({**CALLS, "messages": [USER, ANSWER]}, "the tools of the row"),
    ({"messages": CALLS["messages"]}, "tool_calls of turn 2"),
    ({"messages": [USER, {**ANSWER, "reasoning_content": "the sum"}]}, "reasoning_content of turn 2"),
    ({"messages": [USER, {**ANSWER, "thinking": "the sum"}]}, "thinking of turn 2"),
    ({"messages": [{**USER, "name": "Ada"}, ANSWER]}, "name of turn 1"),
])  # fmt: skip
def test_field_that_the_template_drops_is_a_reason(encode, record, lost):
    assert encode(record, None) == f"the chat template does not render {lost}"


def test_part_that_the_template_drops_is_a_reason(encode):
    two_calls = {**CALLING, "tool_calls": [CALL, {"function": {"name": "product"}}]}
    first_only = TOOL_TEMPLATE.replace("m['tool_calls'] or []", "(m['tool_calls'] or [])[:1]")
    reason = "the chat template does not render tool_calls of turn 2"
    assert encode({"messages": [USER, two_calls, RESULT, ANSWER]}, first_only) == reason
    no_content = TOOL_TEMPLATE.replace(
        "{{ m['content'] }}", "{% if not m['tool_calls'] %}{{ m['content'] }}{% endif %}"
    )
    record = {"messages": [USER, {**CALLING, "content": "2"}, RESULT, ANSWER]}
    assert encode(record, no_content) == "the chat template does not render the content of turn 2"
    no_results = (
        "{% set messages = messages | rejectattr('role', 'equalto', 'tool') | list %}" + TOOL_TEMPLATE
    )
    record = {"messages": [USER, CALLING, {**RESULT, "content": "two"}, ANSWER]}
    assert encode(record, no_results) == "the chat template does not render the content of turn 3"
    as_python = TOOL_TEMPLATE.replace(
        "(call['function']['arguments'] | tojson)", "call['function']['arguments'] | string"
    )
    assert f"⟦{CALL_TEXT}⟧" in encode(CALLS, as_python)


@pytest.mark.parametrize("template", [None, GENERATION_TEMPLATE])
@pytest.mark.parametrize("name", ["weight", "train", "trainable"])
def test_answer_with_weight_0_is_not_trained(encode, template, name):
    wrong = {"role": "assistant", "content": "it is 3 .", name: 0}
    record = {"messages": [USER, wrong, USER, {**ANSWER, name: 1}]}
    text = encode(record, template)
    assert "it is 3 .<|im_end|>\n<" in text
    assert text.count("⟦") == 1
    assert "⟦it is 2 .<|im_end|>" in text
    assert "weight 0, but data.loss_on is everything" in encode(record, loss_on="everything")


@pytest.mark.parametrize("template", [None, GENERATION_TEMPLATE])
def test_only_the_completion_of_message_lists_is_trained(encode, template):
    first = {"role": "assistant", "content": "it is 3 ."}
    text = encode({"prompt": [USER, first, USER], "completion": [ANSWER]}, template)
    assert "it is 3 .<|im_end|>\n<" in text
    assert text.count("⟦") == 1
    assert "⟦it is 2 .<|im_end|>" in text
    with_system = encode({"prompt": [USER, first, USER], "completion": [ANSWER], "system": "add"}, template)
    assert with_system == "<|im_start|>system\nadd<|im_end|>\n" + text


def test_alpaca_has_system_and_history():
    record = {"instruction": "q", "output": "a", "system": "s", "history": [["q0", "a0"]]}
    roles = ("system", "user", "assistant", "user", "assistant")
    turns = tuple(Message(role, text) for role, text in zip(roles, ("s", "q0", "a0", "q", "a"), strict=True))
    assert parse_record(1, record).messages == turns


@pytest.mark.parametrize("record", [
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"role": "assistant", "content": "a"}]},
    {"conversations": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
    {"messages": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"question": "q", "answer": "a"}, {"instruction": "q", "response": "a", "context": ""},
    {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "prompt": "q", "prompt_id": "7",
     "source": "web", "tools": [], "note": None},
])  # fmt: skip
def test_other_forms_are_the_same_chat(record):
    assert parse_record(1, record).messages == (Message("user", "q"), Message("assistant", "a"))


def test_developer_is_the_system():
    record = {"messages": [{"role": "developer", "content": "s"}, *CALLS["messages"]]}
    assert parse_record(1, record).messages[0] == Message("system", "s")


@pytest.mark.parametrize(("record", "why"), [
    ({"messages": [USER, {**ANSWER, "audio": "x"}]}, "turn 2 has the field 'audio': advisor trains on text only"),
    ({"messages": [USER, ANSWER], "images": ["i.png"]}, "has the field 'images': advisor trains on text only"),
    ({"messages": [USER, ANSWER], "voice": "v"}, "has the field 'voice', which advisor does not know; delete it, or add its name to data.ig"),
    ({"messages": [USER, ANSWER], "rejected": "b"}, "has the field 'rejected': a preference needs 'chosen' and 'rejec"),
    ({"text": "t", "reward": 0}, "has the field 'reward': advisor trains no reward model"),
    ({"prompt": "q", "completion": "a", "label": "spam"}, "has the field 'label': the label of a preference is true or"),
    ({"text": "t", "label": False}, "has the field 'label': the label of a preference is true or false beside a prompt"),
    ({"prompt": "q", "completion": "a", "tools": [TOOL]}, "has tools, but its prompt is text"),
    ({"messages": [USER, {**ANSWER, "weight": 0.5}]}, "turn 2 has 'weight' = 0.5: expected 0"),
    ({"messages": [{**USER, "train": True}, ANSWER]}, "turn 1 has 'train' = True: advisor trains only assistant turns"),
    ({"messages": [USER, {**ANSWER, "weight": 0}]}, "weight 0 for every answer"),
    ({"prompt": [USER, ANSWER, USER], "completion": [{**ANSWER, "weight": 0}]}, "weight 0 for every answer"),
    ({"prompt": [USER, ANSWER], "completion": []}, "an empty completion"),
    ({"messages": [USER, {"role": "assistant", "content": None}]}, "turn 2 has content of type NoneType"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "image": "i"}]}, ANSWER]}, "a part of the type 'image'"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "q", "cache": 1}]}, ANSWER]}, "field 'cache'"),
    ({"messages": [{**USER, "tool_calls": [CALL]}, ANSWER]}, "turn 1 has tool calls, but is not an assistant turn"),
    ({"messages": [USER, {**CALLING, "tool_calls": "sum"}]}, "tool call (number 1) without the name of a function"),
    ({"messages": [USER, {**CALLING, "tool_calls": [{"name": "f", "arguments": "x"}]}]}, "arguments that are not a JSON"),
    ({"messages": [USER, ANSWER], "tools": [3]}, "tool (number 1) without the name of a function"),
    ({"messages": [{**USER, "reasoning": "r"}, ANSWER]}, "turn 1 has 'reasoning', but is not an assistant turn"),
    ({"messages": [USER, {**ANSWER, "reasoning_content": ["r"]}]}, "turn 2 has 'reasoning_content' of type list"),
    ({"messages": ["q", ANSWER]}, "turn 1 has no 'role': it is a str"),
    ({"messages": [{"content": "q"}, ANSWER]}, "turn 1 has no 'role'"),
    ({"messages": [{"role": "system", "content": "s"}, USER, ANSWER], "system": "t"}, "a different system turn"),
    ({"messages": [USER, ANSWER], "system": ["t"]}, "has system of type list"),
    ({"instruction": "q", "output": "a", "history": "q0"}, "has a history that is not a list of pairs"),
    ({"instruction": "q", "output": "a", "question": "q2"}, "has the field 'question'"),
])  # fmt: skip
def test_field_with_an_unknown_meaning_is_a_misfit(record, why):
    misfit = parse_record(3, record)
    assert isinstance(misfit, Misfit), misfit
    assert misfit.place == 3
    assert why in misfit.why


def test_ignored_columns_are_not_read(make_spec, tokenizer, tmp_path):
    record = {"messages": [USER, ANSWER], "voice": "v", "rejected": "b"}
    row = parse_record(1, record, ignored_columns=("voice", "rejected"))
    assert row == parse_record(1, {"messages": [USER, ANSWER]})
    assert isinstance(parse_record(1, record, ignored_columns=("voice",)), Misfit)
    rows = [{**row, "voice": n} for n, row in enumerate(tiny_model.sums(20), 1)]
    spec = make_spec(rows, data={"ignored_columns": ["voice"]}).spec
    data = prepare_dataset(spec, tokenizer, tmp_path / "tokens")
    assert (data.rows, data.summary["test_rows"]) == (18, 2)
    assert sum(map(len, gather_material(spec, data, tokenizer, {}).raw.values())) == 20


def test_chats_that_differ_only_in_tools_or_calls_are_different_rows():
    rows = [parse_record(1, CALLS), parse_record(1, {"messages": CALLS["messages"]})]
    other = {**CALLING, "tool_calls": [{"function": {"name": "product"}}]}
    rows.append(parse_record(1, {"messages": [USER, other, RESULT, ANSWER]}))
    assert len({row.question for row in rows}) == 3


def test_gzip_data_object_and_parquet_give_the_same_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [CALLS, {"messages": [USER, ANSWER], "tools": []}]
    with gzip.open(tmp_path / "d.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    (tmp_path / "d.json").write_text(json.dumps({"data": records}))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "d.parquet")
    rows = [list(read_rows(str(tmp_path / name))) for name in ("d.jsonl.gz", "d.json", "d.parquet")]
    assert rows[0] == rows[1] == [parse_record(n, record) for n, record in enumerate(records, 1)]
    assert [row.messages for row in rows[2]] == [row.messages for row in rows[0]]


def test_damaged_gzip_and_data_beside_other_fields_are_refused(tmp_path):
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 99)[:-12])
    with pytest.raises(DataError, match="is not valid gzip"):
        list(read_rows(str(tmp_path / "d.jsonl.gz")))
    (tmp_path / "d.json").write_text(json.dumps({"data": [], "test": []}))
    with pytest.raises(DataError, match="is not a list of rows"):
        list(read_rows(str(tmp_path / "d.json")))


@pytest.mark.parametrize("record", [{"text": "the sum"}, {"prompt": "what is", "completion": " 1 ?"}])
def test_text_needs_an_end_token_and_a_chat_does_not(encode, tokenizer, record):
    tokenizer.eos_token = None
    assert "the tokenizer has no EOS token to end it; set eos_token" in encode(record)
    assert "⟦it is 2 .<|im_end|>⟧" in encode({"messages": [USER, ANSWER]})
