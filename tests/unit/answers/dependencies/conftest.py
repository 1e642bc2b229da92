"""Shared fixtures of the tests of dependencies."""

from __future__ import annotations

import pytest

from advisor.answers.dependencies import files


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write one file with this text and return its dependencies."""
    monkeypatch.chdir(tmp_path)

    def run(name, text):
        (tmp_path / name).write_text(text)
        return files.read_dependencies([(tmp_path / name).relative_to(tmp_path)])

    return run
