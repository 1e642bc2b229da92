"""A hub's model is on this machine before anything trains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from finetune.errors import ModelError
from finetune.weights import base

FETCH = "from finetune.weights import base; print(base.fetch('owner/model', 'main'))"


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


def test_weights_that_are_pickles_alone_are_fetched_too(hub):
    home, snapshot = hub
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    assert fetch(home).stdout.strip() == str(snapshot)


def test_a_hub_models_config_is_read_and_one_that_cannot_be_had_is_one_clear_error(monkeypatch):
    """Played: transformers' answer, and its client's error."""
    from transformers import AutoConfig, LlamaConfig

    def ask(name, revision, trust_remote_code):
        if revision == "v2" and not trust_remote_code:
            return LlamaConfig(hidden_size=64)
        raise OSError(f"{name} does not exist\nhere is a long story")

    monkeypatch.setattr(AutoConfig, "from_pretrained", ask)
    assert base.config("owner/model", "v2")["hidden_size"] == 64
    with pytest.raises(
        ModelError, match=r"^owner/model is neither .* hub gives: owner/model does not exist$"
    ):
        base.config("owner/model")


@pytest.mark.parametrize(("text", "why"), [
    (None, r"has no config\.json.*`advisor inspect"), (b'{"model_type": ', "is not JSON"), (b"\xff", "is not JSON"),
])  # fmt: skip
def test_a_folder_without_a_whole_config_is_named(tmp_path, text, why):
    if text is not None:
        (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(ModelError, match=why):
        base.config(str(tmp_path))


def test_sizes_that_make_no_sense_are_no_shape():
    assert base.shape({"hidden_size": 64}) is None
    assert base.shape({"num_attention_heads": "many", "hidden_size": 64}) is None


def test_a_hub_models_fingerprint_is_its_id_and_revision():
    assert base.fingerprint("owner/model") == "hub:owner/model@main"
    assert base.fingerprint("owner/model", "v2") == "hub:owner/model@v2"


def test_a_models_folder_is_left_where_it_is(tmp_path):
    assert base.fetch(str(tmp_path)) == tmp_path.resolve()
