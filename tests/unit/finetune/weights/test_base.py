"""The files of a base model: local folders and hub models."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from finetune.errors import ModelError
from finetune.weights import base

FETCH = "from finetune.weights import base; print(base.fetch_model('owner/model', 'main'))"


@pytest.fixture
def hub(tmp_path):
    """A hub cache with one model, in the layout of the hub's client; there is no network."""
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


def test_hub_model_is_a_folder_and_missing_one_is_one_clear_error(hub, tmp_path):
    home, snapshot = hub
    assert fetch(home).stdout.strip() == str(snapshot)
    errors = fetch(tmp_path / "empty").stderr
    assert "ModelError: cannot download owner/model from the hub: " in errors


def test_hub_model_with_only_pickles_is_downloaded(hub):
    home, snapshot = hub
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    assert fetch(home).stdout.strip() == str(snapshot)


def test_config_of_a_hub_model_and_missing_one_is_one_clear_error(monkeypatch):
    """Fakes: the answer of transformers, and the error of its client."""
    from transformers import AutoConfig, LlamaConfig

    def ask(name, revision, trust_remote_code):
        if revision == "v2" and not trust_remote_code:
            return LlamaConfig(hidden_size=64)
        raise OSError(f"{name} does not exist\nhere is a long story")

    monkeypatch.setattr(AutoConfig, "from_pretrained", ask)
    assert base.read_model_config("owner/model", "v2")["hidden_size"] == 64
    with pytest.raises(
        ModelError, match=r"^owner/model is not a local .* does not provide it: owner/model does not exist$"
    ):
        base.read_model_config("owner/model")


@pytest.mark.parametrize(("text", "why"), [
    (None, r"has no config\.json.*`advisor inspect"), (b'{"model_type": ', "is not valid JSON"), (b"\xff", "is not valid JSON"),
])  # fmt: skip
def test_folder_without_a_valid_config_is_refused(tmp_path, text, why):
    if text is not None:
        (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(ModelError, match=why):
        base.read_model_config(str(tmp_path))


def test_invalid_sizes_give_no_shape():
    assert base.read_shape({"hidden_size": 64}) is None
    assert base.read_shape({"num_attention_heads": "many", "hidden_size": 64}) is None


def test_fingerprint_of_a_hub_model_is_its_id_and_revision():
    assert base.fingerprint_model("owner/model") == "hub:owner/model@main"
    assert base.fingerprint_model("owner/model", "v2") == "hub:owner/model@v2"


def test_local_folder_is_used_in_place(tmp_path):
    assert base.fetch_model(str(tmp_path)) == tmp_path.resolve()
