"""One tokenizer for all tests of this folder."""

from __future__ import annotations

import sys

import pytest
import tiny_model


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory):
    import json

    folder = tiny_model.tokenizer(tmp_path_factory.mktemp("tokenizer"))
    (folder / "config.json").write_text(json.dumps(tiny_model.config()))
    return folder


@pytest.fixture
def tokenizer(tokenizer_folder):
    from finetune.data.template import load_tokenizer

    return load_tokenizer(str(tokenizer_folder))


@pytest.fixture
def composed(tokenizer_folder, tmp_path):
    """A resolved spec on the given rows, with changes."""
    from finetune import spec

    def make(rows, **sections):
        data = tiny_model.write(tmp_path / "rows.jsonl", rows)
        made = spec.compose([
            ("file", {"model": {"base": str(tokenizer_folder)}, "data": {"train": str(data), "max_length": 128}}),
            ("test", sections),
        ])  # fmt: skip
        return spec.resolve(made, gpus=0)

    return make


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Plays the interpreter that evaluates, merges and converts."""

    def play(body):
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return play
