"""The versions of transformers that a library allows, in each form of a requirements file."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.collect.coverage.extractor import Name
from advisor.collect.coverage.pins import find_pin, find_pins, is_pin_file
from advisor.collect.coverage.span import Span

RELEASE = date(2024, 6, 27)


@pytest.mark.parametrize(("text", "pins"), [
    ("torch\ntransformers==4.42.3\nsentence-transformers==3.0\n", {"==4.42.3"}),
    ("transformers[torch] >= 4.30, < 5  # see below\n", {">=4.30,<5"}),
    ('install_requires=["transformers>=4.30", "peft"]', {">=4.30"}),
    ("dependencies = ['transformers~=4.41.0; python_version > \"3.9\"']", {"~=4.41.0"}),
    ('transformers = "==4.33.2"\n', {"==4.33.2"}),
    ('transformers = "*"\n', {""}),
    ("transformers\n", {""}),
    ("transformers @ git+https://github.com/huggingface/transformers.git\n", {""}),
    ("transformers @ git+https://github.com/huggingface/transformers.git@0fdea8607d\n", set()),
    ("transformers==4.x.y\nadapter-transformers==3\n", set()),
])  # fmt: skip
def test_the_forms_of_a_pin(text, pins):
    assert find_pins(text) == {Name(pin, "pin") for pin in pins}


def test_only_the_files_of_the_library_itself_are_read():
    files = {"setup.py", "pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements/a.txt"}
    assert all(is_pin_file(file) for file in files)
    assert not any(is_pin_file(f"examples/{file}") for file in files)


def span(first, last=None):
    return Span(first, "commit", "setup.py", Name("x", "pin"), last)


@pytest.mark.parametrize(("pin", "is_allowed"), [
    ("", True), (">=4.30", True), ("==4.42.0", True), ("==4.41.9", False), ("<=4.42.0", True), ("<=4.41", False),
    ("<4.42", False), ("<4.43", True), ("~=4.41.1", False), ("~=4.41", True), ("==4.42.*", True),
    ("==4.41.*", False), (">=4.30,!=4.42.0,<5", True), (">4,<=4.40.2", False),
])  # fmt: skip
def test_a_pin_allows_a_version_or_a_later_one(pin, is_allowed):
    pinned = find_pin("4.42.0", RELEASE, {pin: span(date(2024, 1, 1))})
    assert pinned == ((RELEASE, None) if is_allowed else None)


def test_the_day_is_the_later_of_release_and_pin():
    old, new = span(date(2024, 1, 1), date(2024, 7, 9)), span(date(2024, 7, 9))
    assert find_pin("4.42.0", RELEASE, {"==4.41.0": old, "==4.42.1": new}) == (date(2024, 7, 9), new)
    assert find_pin("4.42.0", RELEASE, {}) == (RELEASE, None)


def test_a_pin_that_ended_before_the_release_allows_nothing():
    ended, tight = span(date(2023, 1, 1), date(2023, 9, 1)), span(date(2023, 9, 1))
    assert find_pin("4.42.0", RELEASE, {"": ended, "==4.40": tight}) is None
