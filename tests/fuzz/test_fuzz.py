"""A reader of foreign bytes only fails with one of our errors: the saved cases, and a short reproducible run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz import readers

CASES = sorted(Path(__file__).with_name("cases").glob("*/*"))
WORDS = (
    b"\0",
    b"\xff" * 8,
    b"-1",
    b"null",
    b"[]",
    b"{}",
    b"[" * 2000,
    b"1e999",
    b"\xc3\x28",
    b'"',
    b"9" * 30,
    b"=",
    b"\n",
)
ROUNDS = {"parquet": 6, "measurements": 6, "manifest_values": 60, "fact_values": 12}  # each measures


def damage(data: bytes, lot: random.Random) -> bytes:
    for _ in range(lot.randrange(1, 4)):
        at, to = sorted(lot.randrange(len(data) + 1) for _ in range(2))
        data = lot.choice((
            data[:at], data[:at] + data[to:], data[:at] + data[at:to] * 3 + data[to:],
            data[:at] + lot.choice(WORDS) + data[at:], data[:at] + lot.choice(WORDS) + data[to:],
            data[:at] + lot.randbytes(1) + data[at + 1 :],
        ))  # fmt: skip
    return data


def read(name, data):
    """Return the error that is none of ours, in words; empty if there is none."""
    try:
        readers.READERS[name](data)
    except Exception as error:  # noqa: BLE001 - any other error is a defect
        return f"{name} on {data!r}: {error!r}"
    return ""


@pytest.mark.parametrize("name", readers.READERS)
def test_reader_takes_valid_bytes_and_refuses_damaged_ones(name):
    lot = random.Random(name)
    valid = readers.seeds(name)
    for data in valid:
        readers.READERS[name](data)
    for _ in range(ROUNDS.get(name, 150)):
        assert read(name, damage(lot.choice(valid), lot)) == ""


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}-{c.name[:8]}")
def test_saved_case_gives_one_of_our_errors_or_a_result(case):
    assert read(case.parent.name, case.read_bytes()) == ""
