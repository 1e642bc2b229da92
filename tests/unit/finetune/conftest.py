"""Fixtures of all tests in this folder: a tokenizer, resolved specs, a fake interpreter."""

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
def make_spec(tokenizer_folder, tmp_path):
    """Return a function from rows and changes to a resolved spec."""
    from finetune import spec

    def make(rows, **sections):
        data = tiny_model.write(tmp_path / "rows.jsonl", rows)
        composed_spec = spec.compose_spec([
            ("file", {"model": {"base": str(tokenizer_folder)}, "data": {"train": str(data), "max_length": 128}}),
            ("test", sections),
        ])  # fmt: skip
        return spec.resolve_spec(composed_spec, gpus=0)

    return make


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Return a function that replaces the interpreter that evaluates, merges and converts by a script."""

    def play(body):
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return play
