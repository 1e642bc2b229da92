"""Five formats in four kinds of file, told apart row by row; what does not fit is named with its line."""

from __future__ import annotations

import csv
import json

import pytest

from finetune.data.rows import Message, Misfit, Row, parse, read
from finetune.errors import DataError

CHAT = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
ALPACA = {"instruction": "q", "input": "", "output": "a"}
PAIR = {"prompt": "q", "completion": "a"}


@pytest.mark.parametrize(("record", "name"), [
    (CHAT, "chat"), (SHAREGPT, "sharegpt"), (ALPACA, "alpaca"), (PAIR, "prompt-completion"), ({"text": "t"}, "text"),
])  # fmt: skip
def test_each_format_is_found_out(record, name):
    row = parse(1, record)
    assert isinstance(row, Row)
    assert row.format == name


def test_a_pair_of_turns_is_a_chat():
    turns = {"prompt": CHAT["messages"][:1], "completion": CHAT["messages"][1:]}
    assert parse(1, turns).messages == (Message("user", "q"), Message("assistant", "a"))


def test_chat_sharegpt_and_alpaca_say_the_same():
    turns = (Message("user", "q"), Message("assistant", "a"))
    assert {parse(1, r).messages for r in (CHAT, SHAREGPT, ALPACA)} == {turns}
    assert parse(1, {**ALPACA, "input": "x"}).messages[0].content == "q\n\nx"
    assert parse(1, {**SHAREGPT, "system": "s"}).messages[0] == Message("system", "s")


@pytest.mark.parametrize(("record", "why"), [
    ({"messages": [{"role": "user", "content": "q"}]}, "no answer to learn"),
    ({"messages": [{"role": "robot", "content": "q"}]}, "the role 'robot'"),
    ({"messages": [{"role": "user"}]}, "turn 1 lacks"),
    ({"messages": "hello"}, "no list of turns"),
    ({"question": "q", "reply": "a"}, "its fields are: question, reply"),
    ([1, 2], "is a list"),
    ({"prompt": "q", "completion": 3}, "must both be text"),
    ({"prompt": [{"role": "robot", "content": "q"}], "completion": []}, "the role 'robot'"),
    ({"messages": [{"role": "user", "content": ["q"]}]}, "content of type list, not text"),
    ({"conversations": [{"from": "robot", "value": "q"}]}, "the role 'robot'"),
    ({"instruction": 3, "output": "a"}, "must be text"),
])  # fmt: skip
def test_misfits_say_why(record, why):
    found = parse(7, record)
    assert isinstance(found, Misfit)
    assert found.place == 7
    assert why in found.why


def test_mixed_formats_and_broken_lines_keep_their_line_numbers(tmp_path):
    file = tmp_path / "d.jsonl"
    file.write_text("\n".join([json.dumps(CHAT), "", json.dumps(ALPACA), "{broken", json.dumps(PAIR)]) + "\n")
    found = list(read(str(file)))
    assert [(f.place, getattr(f, "format", "misfit")) for f in found] == [
        (1, "chat"), (3, "alpaca"), (4, "misfit"), (5, "prompt-completion"),
    ]  # fmt: skip
    assert "is not JSON" in found[2].why
    assert "as data.format demands" in next(f for f in read(str(file), "chat") if f.place == 3).why


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
        [(r.prompt, r.completion) for r in read(str(tmp_path / f"d.{kind}"))]
        for kind in ("json", "csv", "parquet")
    ]
    assert texts[0] == texts[1] == texts[2] == [(p["prompt"], p["completion"]) for p in pairs]


@pytest.mark.parametrize(("name", "text", "why"), [
    ("d.xml", "", "unknown kind of file"), ("d.json", "{}", "no list of rows"), ("d.json", "{", "is not JSON"),
    ("d.parquet", "x", "is not Parquet"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, why):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=why):
        list(read(str(tmp_path / name)))


def test_no_file_at_all():
    with pytest.raises(DataError, match="there is no data file"):
        list(read("nowhere/at/all.jsonl"))


def test_a_folder_is_no_file_and_the_hub_is_asked_for_the_rest(tmp_path, monkeypatch):
    import datasets

    with pytest.raises(DataError, match="is a folder; give one of its files"):
        list(read(str(tmp_path)))
    asked = []

    def load(name, split):
        if name == "owner/none":
            raise ConnectionError("no such data set\nand more")
        asked.append((name, split))
        return [PAIR]

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert [row.format for row in read("owner/set")] == ["prompt-completion"]
    assert asked == [("owner/set", "train")]
    with pytest.raises(
        DataError, match=r"neither a file here nor a data set that the hub gives: no such data set$"
    ):
        list(read("owner/none"))
