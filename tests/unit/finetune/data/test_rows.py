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
