"""Five formats in four kinds of file, and misfits with their lines."""

from __future__ import annotations

import csv
import json

import pytest

from finetune.data.rows import Message, Misfit, Row, parse_record, read_rows
from finetune.errors import DataError

CHAT = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
ALPACA = {"instruction": "q", "input": "", "output": "a"}
PAIR = {"prompt": "q", "completion": "a"}


@pytest.mark.parametrize(("record", "name"), [
    (CHAT, "chat"), (SHAREGPT, "sharegpt"), (ALPACA, "alpaca"), (PAIR, "prompt-completion"), ({"text": "t"}, "text"),
])  # fmt: skip
def test_each_format_is_detected(record, name):
    row = parse_record(1, record)
    assert isinstance(row, Row)
    assert row.format == name


def test_prompt_and_completion_of_turns_are_a_chat():
    turns = {"prompt": CHAT["messages"][:1], "completion": CHAT["messages"][1:]}
    assert parse_record(1, turns).messages == (Message("user", "q"), Message("assistant", "a"))


def test_chat_sharegpt_and_alpaca_give_the_same_turns():
    turns = (Message("user", "q"), Message("assistant", "a"))
    assert {parse_record(1, r).messages for r in (CHAT, SHAREGPT, ALPACA)} == {turns}
    assert parse_record(1, {**ALPACA, "input": "x"}).messages[0].content == "q\n\nx"
    assert parse_record(1, {**SHAREGPT, "system": "s"}).messages[0] == Message("system", "s")


@pytest.mark.parametrize(("record", "why"), [
    ({"messages": [{"role": "user", "content": "q"}]}, "no answer to learn"),
    ({"messages": [{"role": "robot", "content": "q"}]}, "the unknown role 'robot'"),
    ({"messages": [{"role": "user"}]}, "turn 1 has no"),
    ({"messages": "hello"}, "no list of turns"),
    ({"question": "q", "reply": "a"}, "its fields are: question, reply"),
    ([1, 2], "is a list"),
    ({"prompt": "q", "completion": 3}, "must both be text"),
    ({"prompt": [{"role": "robot", "content": "q"}], "completion": []}, "the unknown role 'robot'"),
    ({"messages": [{"role": "user", "content": ["q"]}]}, "content of type list, not text"),
    ({"conversations": [{"from": "robot", "value": "q"}]}, "the unknown role 'robot'"),
    ({"instruction": 3, "output": "a"}, "must be text"),
])  # fmt: skip
def test_misfit_has_its_reason(record, why):
    misfit = parse_record(7, record)
    assert isinstance(misfit, Misfit)
    assert misfit.place == 7
    assert why in misfit.why


def test_mixed_formats_and_broken_lines_have_their_line_numbers(tmp_path):
    file = tmp_path / "d.jsonl"
    file.write_text("\n".join([json.dumps(CHAT), "", json.dumps(ALPACA), "{broken", json.dumps(PAIR)]) + "\n")
    rows = list(read_rows(str(file)))
    assert [(f.place, getattr(f, "format", "misfit")) for f in rows] == [
        (1, "chat"), (3, "alpaca"), (4, "misfit"), (5, "prompt-completion"),
    ]  # fmt: skip
    assert "is not valid JSON" in rows[2].why
    assert "but data.format is chat" in next(f for f in read_rows(str(file), "chat") if f.place == 3).why


def test_json_csv_and_parquet_give_the_same_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs = [{"prompt": f"q{i}", "completion": "a,\nb"} for i in range(3)]
    (tmp_path / "d.json").write_text(json.dumps(pairs))
    with (tmp_path / "d.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["prompt", "completion"])
        writer.writeheader()
        writer.writerows(pairs)
    pq.write_table(pa.Table.from_pylist(pairs), tmp_path / "d.parquet")
    texts = [
        [(r.prompt, r.completion) for r in read_rows(str(tmp_path / f"d.{kind}"))]
        for kind in ("json", "csv", "parquet")
    ]
    assert texts[0] == texts[1] == texts[2] == [(p["prompt"], p["completion"]) for p in pairs]


@pytest.mark.parametrize(("name", "text", "why"), [
    ("d.xml", "", "unknown file type"), ("d.json", "{}", "is not a list of rows"), ("d.json", "{", "is not valid JSON"),
    ("d.parquet", "x", "is not valid Parquet"),
])  # fmt: skip
def test_unreadable_file_is_refused_with_its_reason(tmp_path, name, text, why):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=why):
        list(read_rows(str(tmp_path / name)))


TURNS = (Message("user", "q ä"), Message("assistant", "a"))
CHAT_TEXT = json.dumps({"messages": [{"role": "user", "content": "q ä"}, {"role": "assistant", "content": "a"}]},
                       ensure_ascii=False)  # fmt: skip
CELL = CHAT_TEXT[len('{"messages": ') : -1].replace('"', '""')


@pytest.mark.parametrize(("name", "content"), [
    ("bom.jsonl", CHAT_TEXT.encode("utf-8-sig")), ("windows.jsonl", f"{CHAT_TEXT}\r\n\r\n".encode()),
    ("utf16.jsonl", f"{CHAT_TEXT}\n".encode("utf-16")), ("utf32.jsonl", f"{CHAT_TEXT}\n".encode("utf-32")),
    ("d.ndjson", CHAT_TEXT.encode()), ("lines.json", f"{CHAT_TEXT}\n".encode()),
    ("bom.json", f"[{CHAT_TEXT}]".encode("utf-8-sig")), ("utf16.json", f"[{CHAT_TEXT}]".encode("utf-16")),
    ("d.csv", f'messages\n"{CELL}"\n'.encode()), ("bom.csv", f'messages,id\r\n"{CELL}",1\r\n'.encode("utf-8-sig")),
    ("d.tsv", f'id\tmessages\n1\t"{CELL}"\n'.encode()), ("semicolons.csv", f'id;messages\n1;"{CELL}"\n'.encode()),
    ("excel.csv", f'id\tmessages\n1\t"{CELL}"\n'.encode("utf-16")),
])  # fmt: skip
def test_encodings_and_endings_of_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content * (2 if name == "lines.json" else 1))
    rows = list(read_rows(str(tmp_path / name)))
    assert [row.messages for row in rows] == [TURNS] * (2 if name == "lines.json" else 1)


def test_arrow_files_are_read_and_a_saved_folder_says_how_to_convert_it(tmp_path):
    import datasets
    import pyarrow as pa

    rows = datasets.Dataset.from_list([CHAT, CHAT])
    rows.save_to_disk(tmp_path / "saved")
    (arrow,) = (tmp_path / "saved").glob("*.arrow")
    with (
        pa.OSFile(str(tmp_path / "indexed.arrow"), "w") as out,
        pa.ipc.new_file(out, rows.data.schema) as file,
    ):
        file.write_table(rows.data.table)
    for path in (arrow, tmp_path / "indexed.arrow"):
        assert [row.messages for row in read_rows(str(path))] == [parse_record(1, CHAT).messages] * 2
    with pytest.raises(DataError, match=r"folder of datasets.save_to_disk; .*to_parquet"):
        list(read_rows(str(tmp_path / "saved")))
    (tmp_path / "cut.arrow").write_bytes(arrow.read_bytes()[:200])
    with pytest.raises(DataError, match="is not valid Arrow"):
        list(read_rows(str(tmp_path / "cut.arrow")))


@pytest.mark.parametrize(("name", "text", "why"), [
    ("d.csv", "prompt,completion,prompt\na,b,c\n", "has the column 'prompt' twice"),
    ("d.csv", 'prompt,completion\na,"b\nc,d\n', "unexpected end of data"),
    ("d.json", '[{"text": "a", "text": "b"}]', "has the field 'text' twice; delete one of them"),
    ("d.jsonl", b"\xff\xfe\x00", "is not valid UTF-16"), ("d.csv", b"prompt,\xff\n", "save the file as UTF-8"),
])  # fmt: skip
def test_file_that_loses_values_is_refused(tmp_path, name, text, why):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(DataError, match=why):
        list(read_rows(str(tmp_path / name)))


def test_repeated_field_is_a_misfit_with_its_line(tmp_path):
    content = '{"messages": [{"role": "user", "content": "q", "content": "r"}, {"role": "assistant", "content": "a"}]}'
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(CHAT)}\n{content}\n")
    row, misfit = read_rows(str(tmp_path / "d.jsonl"))
    assert isinstance(row, Row)
    assert misfit == Misfit(2, "has the field 'content' twice; delete one of them")


def test_long_cell_is_read(tmp_path):
    (tmp_path / "d.csv").write_text(f"prompt,completion\n{'word ' * 40_000},b\n")
    assert len(next(iter(read_rows(str(tmp_path / "d.csv")))).prompt) == 200_000


@pytest.mark.parametrize("turns", [
    [{"role": "User", "content": "q"}, {"role": "Assistant", "content": "a"}],
    [{"role": "human", "content": "q"}, {"role": "ai", "content": "a"}],
    [{"role": "user", "content": "q"}, {"role": "model", "content": "a"}],
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "refusal": None, "audio": None,
                                        "annotations": [], "function_call": None}],
])  # fmt: skip
def test_names_of_roles(turns):
    assert parse_record(1, {"messages": turns}).messages == (Message("user", "q"), Message("assistant", "a"))


def test_names_of_sharegpt_and_chat_may_be_mixed():
    turns = (Message("user", "q"), Message("assistant", "a"))
    for role, content in (("from", "content"), ("role", "value"), ("from", "value")):
        mixed = [{role: "user", content: "q"}, {role: "assistant", content: "a"}]
        assert parse_record(1, {"conversations": mixed}).messages == turns
    row = parse_record(1, {**SHAREGPT, "system_prompt": "s"})
    assert row.messages == (Message("system", "s"), *turns)
    assert "different system turn" in parse_record(1, {**SHAREGPT, "system_prompt": "s", "system": "t"}).why


def test_calls_of_functions_before_tools_are_tool_calls():
    call = {"name": "sum", "arguments": '{"a": 1}'}
    old = [*CHAT["messages"][:1], {"role": "assistant", "content": None, "function_call": call},
           {"role": "function", "name": "sum", "content": "2"}, *CHAT["messages"][1:]]  # fmt: skip
    new = [old[0], {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": call}]},
           {"role": "tool", "name": "sum", "content": "2"}, old[3]]  # fmt: skip
    pairs = [{"from": "human", "value": "q"}, {"from": "tool_call", "value": json.dumps(call)},
             {"from": "tool_response", "value": "2"}, {"from": "gpt", "value": "a"}]  # fmt: skip
    messages = parse_record(1, {"messages": new}).messages
    assert messages[1].fields["tool_calls"][0]["function"] == {"name": "sum", "arguments": {"a": 1}}
    assert parse_record(1, {"messages": old}).messages == messages
    shared = parse_record(1, {"conversations": pairs}).messages
    assert [m.role for m in shared] == [m.role for m in messages]
    assert shared[1].fields == messages[1].fields


def test_missing_file_is_refused():
    with pytest.raises(DataError, match=r"data file nowhere/at/all\.jsonl does not exist"):
        list(read_rows("nowhere/at/all.jsonl"))


def test_folder_is_refused_and_hub_id_is_loaded(tmp_path, monkeypatch):
    import datasets

    with pytest.raises(DataError, match="is a folder; choose one of its files"):
        list(read_rows(str(tmp_path)))
    calls = []

    def load(name, split):
        if name == "owner/none":
            raise ConnectionError("no such data set\nand more")
        calls.append((name, split))
        return [PAIR]

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert [row.format for row in read_rows("owner/set")] == ["prompt-completion"]
    assert calls == [("owner/set", "train")]
    with pytest.raises(
        DataError, match=r"not a local file, .* does not provide it as a data set: no such data set$"
    ):
        list(read_rows("owner/none"))
