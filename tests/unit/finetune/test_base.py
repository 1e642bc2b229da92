"""A hub's model is on this machine before anything trains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FETCH = "from finetune import base; print(base.fetch('owner/model', 'main'))"


@pytest.fixture
def hub(tmp_path):
    """A hub's cache, as its client lays it out, with one model in it; the network is off."""
    model = tmp_path / "hub" / "models--owner--model"
    snapshot = model / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("a" * 40)
    return tmp_path, snapshot


def fetch(home):
    words = [sys.executable, "-W", "ignore", "-c", FETCH]
    variables = {**os.environ, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=variables)


def test_a_fetched_model_is_a_folder_and_one_that_cannot_be_had_is_one_clear_error(hub, tmp_path):
    home, snapshot = hub
    assert fetch(home).stdout.strip() == str(snapshot)
    failed = fetch(tmp_path / "empty").stderr
    assert "ModelError: owner/model cannot be fetched from the hub: " in failed


def test_a_models_folder_is_left_where_it_is(tmp_path):
    from finetune import base

    assert base.fetch(str(tmp_path)) == tmp_path.resolve()
