"""Recordings and CSV files from a stranger: each attack, and that it fails with one message."""

from __future__ import annotations

import base64
import json
import os
from datetime import date

import httpx
import pytest
from collecting import run

from advisor.collect.http.recording import replay
from advisor.collect.imports import counts, support
from advisor.errors import InputError
from advisor.facts import reading, writing

REQUEST = {"method": "GET", "url": "https://api.example.org/x", "body": ""}
RESPONSE = {"status": 200, "headers": {"etag": "1"}, "body": "{}"}
LINE = {"request": REQUEST, "response": RESPONSE}
DAY = date(2026, 1, 1)


@pytest.mark.parametrize("line", [
    "[" * 100_000,
    "null",
    "[]",
    '{"request": {}}',
    json.dumps({**LINE, "response": {**RESPONSE, "status": "200"}}),
    json.dumps({**LINE, "response": {**RESPONSE, "status": 10**30}}),
    json.dumps({**LINE, "response": {**RESPONSE, "headers": {"etag": 5}}}),
    json.dumps({**LINE, "response": {**RESPONSE, "headers": {"etag": "a\r\nb: c"}}}),
    json.dumps({**LINE, "response": {**RESPONSE, "body": {"a": 1}}}),
    json.dumps({**LINE, "response": {**RESPONSE, "base64": "%%%"}}),
    json.dumps({**LINE, "request": {**REQUEST, "url": ["x"]}}),
    "\x00",
    '{"request": "\ud800"}',
])  # fmt: skip
def test_a_malformed_recording_is_one_message(tmp_path, line):
    path = tmp_path / "recording.jsonl"
    path.write_bytes(line.encode("utf-8", "surrogatepass"))
    with pytest.raises(
        InputError, match=r"recording\.jsonl is not a recording of `advisor collect` \(a line"
    ):
        replay(path)


def test_a_recording_is_a_regular_file_of_a_limited_size(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    reasons = {"fifo": "not a regular file", "link": "not a regular file", "sparse": "more than"}
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            replay(tmp_path / name)


def test_a_sound_recording_replays_every_character(tmp_path):
    """Line separators of Unicode stand within a line; bytes come back as they were."""
    data = base64.b64encode(b"\xff\x00").decode()
    lines = [
        {**LINE, "response": {**RESPONSE, "body": "one\u2028two\x85three"}},
        {
            "request": {**REQUEST, "url": "https://api.example.org/y"},
            "response": {"status": 200, "headers": {}, "base64": data},
        },
    ]
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")

    async def ask():
        async with httpx.AsyncClient(transport=replay(path)) as client:
            return [(await client.get(f"https://api.example.org/{name}")).content for name in "xy"]

    assert run(ask()) == ["one\u2028two\x85three".encode(), b"\xff\x00"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0999-12-31", "20-01-01", "9001-01-01"])
def test_an_imported_day_leaves_the_store_readable(tmp_path, day):
    """A day that the store's own reader refuses made the whole store unreadable."""
    store = tmp_path / "store"
    row = {"repository": "own/lib", "source": "test", "retrieved_at": "2026-01-01", "day": "2026-01-01"}
    writing.write_rows(store, "counts", "own/lib", [{**row, "metric": "stars", "value": 3.0}])
    (tmp_path / "counts.csv").write_text(
        f"date,repository,metric,value,source,definition\n{day},own/lib,stars,4,test,stars\n"
    )
    (tmp_path / "support.csv").write_text(
        "repository,family,vendor,family_released_on,supported_on,known_until,evidence_path,evidence_commit,"
        f"source\nown/lib,llama,meta,2024-01-01,{day},2024-06-01,x,abc,test\n"
    )
    with pytest.raises(InputError, match=r"counts\.csv:2: invalid date .*between the years 1000 and 9000"):
        counts.import_counts(tmp_path / "counts.csv", store, retrieved_on=DAY)
    with pytest.raises(InputError, match=r"support\.csv:2: invalid supported_on"):
        support.import_support(tmp_path / "support.csv", store, retrieved_on=DAY)
    assert reading.read_rows(reading.open_store(store), "counts", "own/lib")[0]["value"] == 3.0
